/** The drop folder: real files, a scan that only counts. */
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { CONTENT_BYTES_MAX, contentBytes } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DoorError } from "../../src/dom0/dom0.ts";
import { listDropped } from "../../src/dom0/stick-folder.ts";
import { scanObservations } from "../../src/gate/records.ts";
import { sticksSource } from "../../src/gate/sticks.ts";
import type { Outlet, SourceState } from "../../src/sources/source.ts";
import { SpoolClosed } from "../../src/spool/intake.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const body: ScanBody = { verdict: "allow", reason: "0 files, all clean", rule: "clean", manifest: [], scanner: null };

let folder: string;
let stop: AbortController;
let running: Promise<void>;
const positions = new Map<string, Json>();
let emitted: Observation[] = [];
let states: SourceState[] = [];
let scanned: string[] = [];
/** What a scan of these throws, as a reader that ran away or a full disk would. */
const faults = new Map<string, () => unknown>([
  ["1-range.img", () => new RangeError("Invalid array length")],
  ["2-disk.img", () => Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })],
  ["3-silent.img", () => new Error("")],
  ["4-text.img", () => "a reader that throws words"],
]);

const outlet = {
  emit: async ({ observations, position }) => {
    emitted.push(...observations);
    if (position) positions.set(position.name, position.value);
    return { kept: observations.length, suppressed: 0, refused: 0 };
  },
  position: (name) => positions.get(name),
  state: (state) => void states.push(state),
} satisfies Partial<Outlet> as Partial<Outlet> as Outlet;

function start(): void {
  stop = new AbortController();
  const scan = async (path: string, source: string) => {
    scanned.push(source);
    if (path.endsWith("bad.img")) throw new DoorError("bad.img cannot be read");
    const fault = faults.get(source);
    if (fault) throw fault();
    return { ...body, source };
  };
  running = sticksSource({ folder, list: listDropped, scan, hash: sha256, now: () => 1, pauseMs: 20 }).run(
    outlet,
    stop.signal,
  );
}

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "sallyport-sticks-")), "sticks");
  positions.clear();
  emitted = [];
  states = [];
  scanned = [];
  start();
});
afterEach(async () => {
  stop.abort();
  await running;
  await rm(join(folder, ".."), { recursive: true, force: true });
});

it("an image laid into the folder is scanned once, again when it changes, and not again after a restart", async () => {
  await vi.waitFor(() => expect(states.length).toBeGreaterThan(0));
  await vi.waitFor(() => writeFile(join(folder, "a.img"), "one"));
  await vi.waitFor(() =>
    expect(emitted).toMatchObject([{ kind: "usb.scan", severity: "info", body: { source: "a.img" } }]),
  );
  await appendFile(join(folder, "a.img"), " and more");
  await vi.waitFor(() => expect(emitted.length).toBe(2));
  stop.abort();
  await running;
  start();
  await writeFile(join(folder, ".hidden.img"), "x");
  await writeFile(join(folder, "b.img"), "x");
  await vi.waitFor(() => expect(scanned).toEqual(["a.img", "a.img", "b.img"]));
});

it("a file that still grows is left alone until it stands still", async () => {
  await vi.waitFor(() => expect(states.length).toBeGreaterThan(0));
  const path = join(folder, "grows.img");
  await vi.waitFor(() => writeFile(path, "x"));
  for (let round = 0; round < 40; round++) {
    await appendFile(path, "more");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await vi.waitFor(() => expect(emitted.length).toBeGreaterThan(0));
  const size = (4 * 40 + 1).toString();
  await vi.waitFor(() => expect(JSON.stringify([...positions.values()])).toContain(size));
});

it("one that cannot be read is said once and does not stop those behind it", async () => {
  await vi.waitFor(() => expect(states.length).toBeGreaterThan(0));
  await vi.waitFor(() => writeFile(join(folder, "bad.img"), "x"));
  await vi.waitFor(() => expect(emitted).toMatchObject([{ severity: "warning", body: { verdict: "hold" } }]));
  await writeFile(join(folder, "c.part"), "x");
  await rename(join(folder, "c.part"), join(folder, "c.img"));
  await vi.waitFor(() => expect(emitted[1]).toMatchObject({ body: { source: "c.img" } }));
  expect(scanned.filter((name) => name === "bad.img").length).toBe(1);
});

it("whatever goes wrong with one image is one record that holds it, and the next image goes on", async () => {
  await vi.waitFor(() => expect(states.length).toBeGreaterThan(0));
  const names = [...faults.keys(), "5-good.img"];
  for (const name of names) await vi.waitFor(() => writeFile(join(folder, name), "x"));
  await vi.waitFor(() => expect(emitted).toHaveLength(names.length), { timeout: 60_000 });
  const found = emitted.map(({ body }) => body as ScanBody);
  expect(found.map(({ source, verdict, reason }) => `${source} ${verdict}: ${reason}`).sort()).toEqual([
    "1-range.img hold: Invalid array length",
    "2-disk.img hold: ENOSPC: no space left on device, write",
    "3-silent.img hold: It could not be read, and nothing says why",
    "4-text.img hold: a reader that throws words",
    "5-good.img allow: 0 files, all clean",
  ]);
  expect([...scanned].sort()).toEqual(names);
});

it("a spool that is closing ends the watch, and the file is not known", async () => {
  stop.abort();
  await running;
  await writeFile(join(folder, "a.img"), "x");
  const closed = new SpoolClosed("the agent is stopping");
  const closing = { ...outlet, emit: () => Promise.reject(closed) } satisfies Outlet;
  const source = sticksSource({
    folder,
    list: listDropped,
    scan: async () => body,
    hash: sha256,
    now: () => 1,
    pauseMs: 20,
  });
  await expect(source.run(closing, new AbortController().signal)).rejects.toBe(closed);
  expect(positions.size).toBe(0);
});

it("a long manifest becomes parts under one root, each within a record's bound", () => {
  const manifest = Array.from({ length: 5_000 }, (_, at) => ({
    path: `some folder/with a name/file number ${at}`,
    size: at,
    md5: "0".repeat(32),
    sha256: "1".repeat(64),
    type: "text/plain",
    finding: "clean" as const,
  }));
  const parts = scanObservations({ ...body, manifest }, 1, sha256);
  expect(parts.length).toBeGreaterThan(3);
  expect(parts.flatMap((part) => part.body.manifest)).toEqual(manifest);
  expect(new Set(parts.map((part) => part.body.parts?.root)).size).toBe(1);
  for (const part of parts) {
    expect(contentBytes(part).length).toBeLessThan(CONTENT_BYTES_MAX);
    expect(ScanBody.parse(part.body)).toEqual(part.body);
  }
});

it("texts that are cut never end in half a character, which canonical JSON could not say", () => {
  for (let pad = 0; pad < 4; pad++) {
    const reason = "x".repeat(pad) + "\u{1f41e}".repeat(400);
    const [found] = scanObservations({ ...body, reason, source: reason }, 1, sha256);
    expect(found!.text.isWellFormed()).toBe(true);
    expect(() => contentBytes(found!)).not.toThrow();
  }
});
