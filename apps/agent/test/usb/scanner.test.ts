/** Live sticks before a real clamd: what it finds, and what becomes of a stick when it dies or hangs. */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startReader } from "../../src/dom0/confine.ts";
import { RescanDesk } from "../../src/gate/rescan-desk.ts";
import { scan } from "../../src/gate/scan.ts";
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
  describe("and definitions that come later", () => {
    const OTHER = "sallyport-later-marker-91cc";
    const set = (digit: string) => digit.repeat(64);
    let newer: ClamdServer;
    /** So many of the next looks at it fail. */
    let broken = 0;
    /** With which set, each time. */
    const scannedWith: string[] = [];
    let has = { clamd: null as ClamdServer | null, set: set("1") };
    beforeAll(async () => {
      if (absent !== null) return;
      newer = await startClamd({}, { "later.ndb": `Test.Later:0:*:${Buffer.from(OTHER).toString("hex")}\n` });
    });
    afterAll(() => newer?.stop());
    const scans = () => bench.records.filter(({ kind }) => kind === "usb.scan").map(({ body }) => body as ScanBody);
    const startWith = (clamd: ClamdServer, digit: string, more: object = {}) => {
      has = { clamd, set: set(digit) };
      bench.start({
        ...more,
        scannerMs: 20,
        scanner: async () => {
          if (broken > 0 && broken--) throw new Error("its configuration is gone");
          return { engine: "ClamAV", definitions: null, date: null, set: has.set };
        },
        scan: async (path, { source, sha256: imageSha256, onProgress, signal }) => {
          const more = { start: startReader, now: () => new Date(), lanes: 2, imageSha256, source, onProgress, signal };
          const body = await scan(path, { policy: bench.policy, clamd: has.clamd, set: has.set, ...more });
          scannedWith.push(has.set);
          return { ...body, scanner: body.scanner && { ...body.scanner, engine: "ClamAV" } };
        },
      });
    };
    it("take back what the guest has where they find something in it, and say what and by which", async () => {
      startWith(clamd, "1");
      bench.kernel.plug("1-2", { units: [fat("later", { "a.txt": OTHER })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      expect(scans()).toMatchObject([{ verdict: "allow" }]);
      has = { clamd: newer, set: set("2") };
      await bench.until("the guest has lost it", () => bench.guest.given().size === 0);
      await bench.until("it is refused", refused);
      expect(scans()).toMatchObject([
        { verdict: "allow" },
        { verdict: "block", rule: "infected", scanner: { set: set("2") } },
      ]);
      expect(bench.said("usb.verdict").at(-1)).toMatch(
        /scanned again with ClamAV.*would block what is on it: "a.txt" is infected/,
      );
      await bench.until("nothing of it is left", async () => (await bench.volumeFiles()).length === 0);
    });
    it("take it back without room for records too, also after some that found nothing", async () => {
      startWith(clamd, "1");
      bench.kernel.plug("1-2", { units: [fat("later", { "a.txt": OTHER })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      const before = bench.records.length;
      bench.noRoom();
      has = { clamd, set: set("4") };
      await bench.until("it is scanned again", () => scannedWith.at(-1) === set("4"));
      has = { clamd: newer, set: set("5") };
      await bench.until("the guest has lost it", () => bench.guest.given().size === 0);
      await bench.until("nothing of it is left", async () => (await bench.volumeFiles()).length === 0);
      expect(bench.records).toHaveLength(before);
      bench.makeRoom();
      await bench.until("it is refused", refused);
      expect(scans().map(({ verdict }) => verdict)).toEqual(["allow", "allow", "block"]);
    });
    it("leave it where they find nothing, and scan it once; also over a restart", async () => {
      startWith(clamd, "1");
      bench.kernel.plug("1-2", { units: [fat("good", { "a.txt": "hello" })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      has = { clamd: newer, set: set("2") };
      await bench.until("it is scanned again", () => scans().length === 2);
      await bench.stop();
      startWith(newer, "2");
      await bench.until("it is taken up", () => bench.said("usb.step").some((text) => text.includes("stays attached")));
      await bench.stop();
      startWith(newer, "3");
      await bench.until("it is scanned again", () => scans().length === 3);
      expect(bench.guest.given().size).toBe(1);
      expect(scans().map(({ scanner }) => scanner?.set)).toEqual([set("1"), set("2"), set("3")]);
    });
    it("or a person's order scan what is held once more, whatever it was scanned with", async () => {
      const desk = new RescanDesk();
      startWith(clamd, "1", { rescans: desk });
      expect(desk.held()).toEqual([]);
      bench.kernel.plug("1-2", { units: [fat("again", { "a.txt": OTHER })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      await bench.until("its image is held", () => desk.held().length === 1);
      desk.ask(desk.held()[0]!);
      await bench.until("it is scanned again", () => scans().length === 2);
      // the same definitions by name, and yet others
      has = { clamd: newer, set: set("1") };
      desk.ask(desk.held()[0]!);
      await bench.until("the guest has lost it", () => bench.guest.given().size === 0);
      await bench.until("nothing is held any more", () => desk.held().length === 0);
    });
    it("are missed where the scanner cannot be asked, and taken with the next look that can", async () => {
      startWith(clamd, "1");
      broken = 3;
      bench.kernel.plug("1-2", { units: [fat("later", { "a.txt": OTHER })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      has = { clamd: newer, set: set("2") };
      await bench.until("the guest has lost it", () => bench.guest.given().size === 0);
      expect(broken).toBe(0);
    });
    it("do nothing where policy says so, or where the scanner is gone", async () => {
      bench.policy = UsbSection.parse({ rescan: false });
      startWith(clamd, "1");
      bench.kernel.plug("1-2", { units: [fat("later", { "a.txt": OTHER })] });
      await bench.until("that is on record", () => bench.said("usb.attach").length === 1);
      has = { clamd: newer, set: set("2") };
      bench.kernel.plug("1-3", { units: [fat("good", { "a.txt": "hello" })] });
      await bench.until("another is with the guest", () => bench.said("usb.attach").length === 2);
      expect(scans()).toHaveLength(2);
      has = { clamd: null, set: set("3") };
      bench.policy = UsbSection.parse({});
      bench.kernel.plug("1-4", { units: [fat("more", { "a.txt": "hello" })] });
      await bench.until("a third waits, since nothing scans", () => bench.said("usb.request").length === 1);
      expect(bench.guest.given().size).toBe(2);
      expect(refused()).toBe(false);
      // and goes on when something does, without a person
      has = { clamd, set: set("4") };
      await bench.until("it has been scanned", () => bench.said("usb.attach").length === 3);
    });
  });
  it("that met a scanner which is dead, or hangs, waits for a person", async () => {
    const socket = join(bench.root, "hung.sock");
    const asked = new Set<Socket>();
    const hung: Server = createServer((each) => void asked.add(each)).listen(socket);
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
    // it reads nothing, so that it does not learn either that the other end has gone
    for (const each of asked) each.destroy();
    await new Promise((resolve) => hung.close(resolve));
  });
});
