/** A stick of as many files as a scan may well list: the agent's one loop goes on beside all that is done for them. */
import { join } from "node:path";
import { DEFAULT_USB } from "@sallyport/shared/policy/usb.ts";
import type { ManifestFile } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { StartReader } from "../../src/dom0/confine.ts";
import type { StartRebuild } from "../../src/dom0/usb-rebuild.ts";
import { usbVolume } from "../../src/dom0/usb-volume.ts";
import { rebuildImage } from "../../src/gate/rebuild.ts";
import { scan } from "../../src/gate/scan.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, makeBench } from "./gate.ts";

const absent = missing("mkfs.vfat", "mcopy");
const FILES = 100_000;
/** Of processor time, since nobody knows what else the machine does. */
const SILENCE_MS_MAX = 400;

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});
afterEach(() => bench.clear());

/** In no order, with names that become one. */
function* listed(): Generator<string> {
  for (let at = 0; at < FILES; at++) {
    const number = String((at * 7_919) % FILES);
    const file: ManifestFile = {
      path: `a folder/names of ${"\u0001\u0002"[at % 2]} like many others ${Math.floor(at / 2)}`,
      ...{ size: 1, md5: number.padStart(32, "0"), sha256: number.padStart(64, "0") },
      ...{ type: "text/plain", finding: "clean" },
    };
    yield JSON.stringify({ event: "file", file });
  }
  yield JSON.stringify({ event: "end" });
}

/** As a reader's lines come: some at once, and then the loop goes round. */
async function* inChunks(lines: Iterable<string>): AsyncGenerator<string> {
  let count = 0;
  for (const line of lines) {
    if (count++ % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    yield line;
  }
}

const reader: StartReader = async () => ({
  ...{ confined: "bubblewrap", kind: "image", lines: inChunks(listed()), ended: Promise.resolve(null) },
});

const rebuilder: StartRebuild = async ({ out, order, passing }) => {
  await out?.truncate(4096);
  const said = order.check ? { event: "checked" } : { event: "end", bytes: 4096, missing: 0 };
  const lines = inChunks([JSON.stringify({ ...said, files: passing.length })]);
  return { lines, ended: Promise.resolve(null) };
};

/** The most that the thread worked without coming back to its loop, in milliseconds. */
function silences(): { longest: () => number; stop: () => void } {
  const worked = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [last, longest] = [worked(), 0];
  const beat = setInterval(() => {
    const now = worked();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return { longest: () => longest, stop: () => clearInterval(beat) };
}

it.skipIf(absent !== null)(
  "while a stick of 100,000 files goes through the gate, the agent is never silent for long",
  async () => {
    const image = fatImage(join(bench.root, "stick.img"), layOut(join(bench.root, "tree"), { a: "a" }), 12);
    const volume = usbVolume(bench.volume);
    const policy = { ...DEFAULT_USB, unscannable: "allow" as const };
    let bodies: ScanBody[] = [];
    bench.start({
      volume, // closed with it
      async scan(path, { source, sha256: imageSha256 }) {
        const options = { policy, clamd: null, start: reader, now: () => new Date(), lanes: 1, imageSha256, source };
        const body = await scan(path, options);
        bodies = [body];
        return body;
      },
      rebuild: (sealed, manifest, grounds, parts) =>
        rebuildImage(sealed, manifest, grounds, { volume, start: rebuilder, policy, now: Date.now, ...parts }),
    });
    await bench.until("it holds what comes", () => bench.kernel.defaultOf() === "0");
    const { longest, stop } = silences();
    try {
      bench.kernel.plug("1-2", { units: [image] });
      await bench.until("all of it was listed", () => bodies.length > 0);
      await bench.until("what it holds is on record", () => bench.said("usb.scan").length > 0);
      await bench.until("the guest has it, and that is on record", () => bench.said("usb.attach").length > 0);
    } finally {
      stop();
    }
    expect(bodies[0]?.manifest).toHaveLength(FILES);
    expect(bench.said("usb.scan").length).toBeGreaterThan(100);
    expect(longest()).toBeLessThan(SILENCE_MS_MAX);
  },
  300_000,
);
