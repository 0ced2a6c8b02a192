/** Live sticks before a real clamd: what it finds, and what becomes of a stick when it dies or hangs. */
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ClamdServer, MARKER, startClamd } from "../gate/clamd-server.ts";
import { fatImage, layOut, partitioned } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, makeBench } from "./gate.ts";

const absent = missing("clamd", "mkfs.vfat", "mcopy", "sfdisk");
let clamd: ClamdServer;
let bench: Bench;
beforeAll(async () => {
  if (absent === null) clamd = await startClamd();
});
afterAll(() => clamd?.stop());
beforeEach(() => {
  bench = makeBench({});
});
afterEach(() => bench.clear());

const fat = (name: string, files: Record<string, string>) =>
  fatImage(join(bench.root, `${name}.img`), layOut(join(bench.root, name), files), 12);
const scanned = () => bench.records.find(({ kind }) => kind === "usb.scan")?.body as ScanBody | undefined;
const refused = () => bench.said("usb.step").some((text) => text.includes("refused"));
const plug = (stick: string) => {
  bench.start();
  bench.kernel.plug("1-2", { units: [stick] });
};

describe.skipIf(absent !== null)("a stick before clamd", () => {
  it("that is clean is the guest's without anybody's word", async () => {
    bench.clamd = clamd;
    plug(fat("clean", { "a.txt": "hello" }));
    await bench.until("the guest has it", () => bench.guest.given().size === 1);
    expect(scanned()).toMatchObject({ verdict: "allow", rule: "clean" });
  });
  it("with two partitions and the bad file in the second is refused whole", async () => {
    bench.clamd = clamd;
    const [one, two] = [fat("one", { "good.txt": "good" }), fat("two", { "bad.txt": `x ${MARKER}` })];
    plug(
      partitioned(join(bench.root, "disk.img"), "dos", [
        { image: one, type: "c" },
        { image: two, type: "c" },
      ]),
    );
    await bench.until("it is refused", refused);
    expect(scanned()).toMatchObject({ verdict: "block", rule: "infected" });
    expect(scanned()!.manifest.map(({ path, partition, finding }) => [path, partition, finding])).toEqual([
      ["good.txt", 1, "clean"],
      ["bad.txt", 2, "infected"],
    ]);
    expect(bench.guest.given().size).toBe(0);
    await bench.until("nothing of it is left", async () => (await bench.volumeFiles()).length === 0);
  });
  it("that met a scanner which is dead, or hangs, waits for a person", async () => {
    const socket = join(bench.root, "hung.sock");
    const hung: Server = createServer(() => {}).listen(socket);
    bench.policy = UsbSection.parse({ limits: { fileSeconds: 1 } });
    for (const path of [join(bench.root, "dead.sock"), socket]) {
      bench.clamd = { ...clamd, socket: path };
      bench.records.length = 0;
      plug(fat("doubt", { "a.txt": "hello" }));
      await bench.until("it waits", () => bench.said("usb.request").length === 1);
      expect(scanned()).toMatchObject({ verdict: "hold", rule: "unscannable" });
      expect(bench.guest.given().size).toBe(0);
      bench.kernel.unplug("1-2");
      await bench.until("it is removed", () => bench.said("usb.removed").length === 1);
      await bench.stop();
    }
    await new Promise((resolve) => hung.close(resolve));
  });
});
