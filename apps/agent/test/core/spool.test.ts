/** The spool on a real disk against a model: random actions, kills at any write, a full disk's worth of logs. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { SessionId, Sha256, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { commitment } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { openCheckpoint, origin } from "@sallyport/shared/trail/checkpoint.ts";
import { type Entry, leafHash, readEntry } from "@sallyport/shared/trail/entry.ts";
import type { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { appendAll, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ed25519Signer, ed25519Verify, sha256 } from "../../src/dom0/crypto.ts";
import { lockState, openSpool, spoolPath } from "../../src/spool/open.ts";
import { prepare } from "../../src/spool/prepare.ts";
import { openDatabase } from "../../src/spool/schema.ts";
import { Spool } from "../../src/spool/spool.ts";
import { storeOf } from "../../src/spool/store.ts";

const signer = ed25519Signer(
  generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string,
);
const identity = {
  workstation: "11111111-1111-4111-8111-111111111111" as WorkstationId,
  signer,
  session: "22222222-2222-4222-8222-222222222222" as SessionId,
  agentVersion: "0",
  hostname: "dom0",
};
const MIB = 1_048_576;
const fresh = () => mkdtempSync(join(tmpdir(), "sallyport-spool-"));
const open = (state: string, bytesMax = MIB * 64) =>
  openSpool(
    state,
    identity,
    () => 1_764_000_000_000,
    bytesMax,
    () => {},
  );

const log = (number: number, padding = 0): Observation<"guest.log"> => ({
  kind: "guest.log",
  severity: "info",
  time: 1_764_000_000_000 + number,
  text: `line ${number}`,
  body: { via: "udp", from: "10.0.0.2", format: "plain", message: "x".repeat(padding) },
});
const verdict = (number: number, padding = 0): Observation<"usb.verdict"> => ({
  kind: "usb.verdict",
  severity: "info",
  time: 1_764_000_000_000,
  text: `verdict ${number}`,
  body: { number, padding: "y".repeat(padding) },
});

type Seen = { entry: Entry; text: string | undefined; body: Record<string, unknown> | undefined };

/** Everything held, checked as a console would: indices, commitments, the tree, and the signed checkpoint. */
function readAll(spool: Spool): Seen[] {
  const seen: Seen[] = [];
  for (let from = spool.base; from < spool.size; ) {
    const { records, end, edge } = spool.read(from, 500, MIB);
    for (const { entry, salt, content } of records) {
      const read = readEntry(entry);
      if (!read.ok) throw new Error(read.error);
      expect(read.value.index).toBe(spool.base + seen.length);
      if (salt && content !== undefined)
        expect(toHex(commitment(sha256, salt, toUtf8(content)))).toBe(read.value.content);
      const whole = content === undefined ? undefined : JSON.parse(content);
      seen.push({ entry: read.value, text: whole?.text, body: whole?.body });
    }
    const name = origin(identity.workstation, spool.trail);
    const checkpoint = openCheckpoint(sha256, ed25519Verify, name, signer.publicKey, spool.checkpoint(edge));
    expect(checkpoint).toMatchObject({ ok: true, value: { size: end } });
    from = end;
  }
  return seen;
}

const receipt = (spool: Spool, size: number, more: Partial<Receipt> = {}): Receipt => ({
  workstation: identity.workstation,
  trail: spool.trail,
  epoch: 0,
  size,
  root: toHex(spool.rootAt(size)) as Sha256,
  safe: size,
  answer: "new",
  time: "2026-11-24T10:00:00.000Z",
  ...more,
});

type Action =
  | { do: "append"; count: number }
  | { do: "receipt"; share: number; safe: number }
  | { do: "restart" }
  | { do: "crash"; count: number; at: number }
  | { do: "reopen" };
const actions = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      do: fc.constant("receipt" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      safe: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ do: fc.constant("restart" as const) }),
    fc.record({
      do: fc.constant("crash" as const),
      count: fc.integer({ min: 1, max: 20 }),
      at: fc.integer({ min: 0, max: 25 }),
    }),
    fc.record({ do: fc.constant("reopen" as const) }),
  ),
  { minLength: 5, maxLength: 40 },
);

it("whatever happens, what was kept and not released is there once, in order, with its position", () => {
  fc.assert(
    fc.property(actions, (steps: Action[]) => {
      const state = fresh();
      let spool = open(state);
      // the model: texts that must be held in order, and where the source stands
      let held: string[] = ["Trail opened"];
      let next = 0;
      for (const step of steps) {
        if (step.do === "append") {
          const lines = Array.from({ length: step.count }, () => log(next++));
          spool.append(lines.map(prepare), [{ name: "file", value: next }]);
          held.push(...lines.map(({ text }) => text));
        } else if (step.do === "receipt") {
          const size = spool.committed + Math.floor((spool.size - spool.committed) * step.share);
          const safe = Math.max(spool.base, Math.floor(size * step.safe));
          held = held.slice(Math.max(0, Math.min(safe, size) - spool.base));
          spool.settle(receipt(spool, size, { safe: Math.min(safe, size) }));
        } else if (step.do === "restart") {
          spool.close();
          spool = open(state);
        } else if (step.do === "crash") {
          // the process dies at this write: the connection ends with the transaction open
          const database = openDatabase(spoolPath(state));
          spool.close();
          const store = storeOf(database);
          let writes = 0;
          const dying = {
            ...store,
            insert: (row: Parameters<typeof store.insert>[0]) => {
              if (writes++ === step.at) throw new Error("killed");
              store.insert(row);
            },
          };
          const doomed = new Spool(dying, identity, () => 0, MIB * 64);
          const lines = Array.from({ length: step.count }, (_, at) => log(next + at));
          const survives = step.at >= step.count;
          const attempt = () => doomed.append(lines.map(prepare), [{ name: "file", value: next + step.count }]);
          if (survives) {
            attempt();
            held.push(...lines.map(({ text }) => text));
            next += step.count;
          } else expect(attempt).toThrow("killed");
          database.close();
          spool = open(state);
        } else {
          const keepFrom = spool.committed;
          held = held.slice(keepFrom - spool.base + (spool.base === 0 && keepFrom === 0 ? 1 : 0));
          if (spool.base === 0 && keepFrom > 0 && held.length > 0 && held[0] === "Trail opened") held.shift();
          const root = toHex(spool.root) as Sha256;
          spool.openTrail({ trail: spool.trail, size: spool.size as never, root, reason: "fork" }, keepFrom);
          held = ["Trail opened; it goes on from another one (fork)", ...held];
        }
        expect(spool.position("file") ?? 0).toBe(next);
        expect(readAll(spool).map(({ text }) => text)).toEqual(held);
      }
      spool.close();
    }),
    { numRuns: 25 },
  );
});

it("a full spool gives up guest logs first, oldest first, and names them; what must never be lost stays", () => {
  const spool = open(fresh(), MIB);
  for (let number = 0; number < 1_500; number++) {
    spool.append([prepare(log(number, 1_000))], []);
    if (number % 100 === 0) spool.append([prepare(verdict(number, 3_000))], []);
  }
  const seen = readAll(spool);
  const gaps = seen
    .filter(({ entry }) => entry.kind === "agent.gap")
    .map(({ body }) => body as { from: number; to: number; contents: number });
  const without = seen.filter(({ text }) => text === undefined);
  expect(seen.filter(({ entry }) => entry.kind === "guest.log")).toHaveLength(1_500);
  expect(gaps.length).toBeGreaterThan(0);
  expect(gaps.length).toBeLessThan(40);
  expect(gaps.reduce((sum, { contents }) => sum + contents, 0)).toBe(without.length);
  for (const { entry } of without) {
    expect(entry.kind).toBe("guest.log");
    expect(gaps.some(({ from, to }) => entry.index >= from && entry.index < to)).toBe(true);
  }
  const firstKept = seen.find(({ entry, text }) => entry.kind === "guest.log" && text !== undefined)!.entry.index;
  expect(without.every(({ entry }) => entry.index < firstKept)).toBe(true);
  expect(seen.filter(({ entry }) => entry.kind === "usb.verdict").every(({ text }) => text !== undefined)).toBe(true);
  expect(spool.standing().bytes).toBeLessThanOrEqual(MIB);
  spool.close();
});

it("only contents that the console has are let go for the room, before any is given up", () => {
  const spool = open(fresh(), MIB);
  for (let number = 0; number < 600; number++) spool.append([prepare(log(number, 1_000))], []);
  spool.settle(receipt(spool, spool.size, { safe: 0 }));
  for (let number = 0; number < 600; number++) spool.append([prepare(log(number, 1_000))], []);
  expect(readAll(spool).filter(({ entry }) => entry.kind === "agent.gap")).toEqual([]);
  expect(spool.base).toBe(601);
  spool.close();
});

it("a gap moves with its records to a new trail", () => {
  const spool = open(fresh(), MIB);
  for (let number = 0; number < 1_200; number++) spool.append([prepare(log(number, 1_000))], []);
  const keepFrom = 101;
  spool.settle(receipt(spool, keepFrom, { safe: 0 }));
  spool.openTrail(
    { trail: spool.trail, size: 101 as never, root: toHex(spool.rootAt(101)) as Sha256, reason: "fork" },
    keepFrom,
  );
  const seen = readAll(spool);
  const gaps = seen
    .filter(({ entry }) => entry.kind === "agent.gap")
    .map(({ body }) => body as { from: number; to: number });
  for (const { entry } of seen.filter(({ text }) => text === undefined))
    expect(gaps.some(({ from, to }) => entry.index >= from && entry.index < to)).toBe(true);
  spool.close();
});

it("another enrolment on the same disk goes on from the old trail with what was unsent", () => {
  const state = fresh();
  const spool = open(state);
  const old = spool.trail;
  spool.append([prepare(log(1)), prepare(log(2))], []);
  spool.settle(receipt(spool, 2));
  spool.close();
  const other = { ...identity, workstation: "33333333-3333-4333-8333-333333333333" as WorkstationId };
  const next = openSpool(
    state,
    other,
    () => 0,
    MIB,
    () => {},
  );
  const [opened, line] = [...next.read(0, 10, MIB).records].map(({ content }) => JSON.parse(content!));
  expect(opened.body.previous).toMatchObject({ trail: old, size: 2, reason: "re-enrolled" });
  expect(line.text).toBe("line 2");
  expect(next.size).toBe(2);
  next.close();
});

it("a damaged spool is put aside, and a new trail begins", () => {
  const state = fresh();
  const spool = open(state);
  const old: TrailId = spool.trail;
  spool.close();
  writeFileSync(spoolPath(state), Buffer.alloc(8_192, 7));
  const kept: string[] = [];
  const next = openSpool(
    state,
    identity,
    () => 5,
    MIB,
    (aside) => kept.push(aside),
  );
  expect(kept).toHaveLength(1);
  expect(readdirSync(state).some((name) => name.endsWith(".damaged"))).toBe(true);
  expect(next.trail).not.toBe(old);
  expect(next.size).toBe(1);
  next.close();
});

it("two agents never run on one state folder", () => {
  const state = fresh();
  const lock = lockState(state);
  expect(() => lockState(state)).toThrow("Another agent is running");
  lock.release();
  lockState(state).release();
});

it("the root of each size it covers is the one the whole tree had then", () => {
  const spool = open(fresh());
  spool.append(
    Array.from({ length: 300 }, (_, number) => prepare(log(number))),
    [],
  );
  const { records } = spool.read(0, 1_000, MIB * 8);
  for (const size of [1, 2, 3, 64, 150, 299, 301]) {
    const edge = appendAll(
      sha256,
      EMPTY_EDGE,
      records.slice(0, size).map(({ entry }) => leafHash(sha256, entry)),
    );
    expect(toHex(spool.rootAt(size))).toBe(toHex(root(sha256, edge)));
  }
  spool.close();
});

it("what is large is written once in its own turn: it stays in the log until the commit behind it, large or small", () => {
  const state = fresh();
  const spool = open(state);
  const fileBytes = () => statSync(spoolPath(state)).size;
  const parts = Array.from({ length: 150 }, (_, number) => prepare(verdict(number, 100_000)));
  spool.append(parts, []);
  expect(fileBytes()).toBeLessThan(MIB);
  spool.append([prepare(verdict(150))], []);
  expect(fileBytes()).toBeGreaterThan(15_000_000);
  for (const each of [1, 2]) {
    const before = fileBytes();
    spool.append(parts, []);
    expect(fileBytes() > before).toBe(each === 2);
  }
  expect(readAll(spool)).toHaveLength(452);
});
