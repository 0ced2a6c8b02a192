/** The disk takes no more records: what only takes away is done all the same, at once, and told when there is room. */
import { join } from "node:path";
import { Denied } from "@sallyport/shared/policy/overlay.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { usbPorts } from "../../src/dom0/usb.ts";
import { simUsb } from "../../src/sim/usb.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, makeBench, quiet } from "./gate.ts";

const absent = missing("mkfs.vfat", "mcopy");
const UNTIL = "2099-01-01T00:00:00.000Z";
const PORT = "1-2";

let bench: Bench;
let stick: string;
beforeEach(() => {
  bench = makeBench();
  const tree = layOut(join(bench.root, "tree"), { "letter.txt": "dear reader" });
  stick = fatImage(join(bench.root, "stick.img"), tree, 12);
});
afterEach(() => bench.clear());

const isGiven = () => bench.guest.given().size > 0;
const kinds = () => bench.records.map(({ kind }) => kind);
const isAttached = () => kinds().includes("usb.attach");

async function attached(): Promise<void> {
  bench.start();
  bench.kernel.plug(PORT, { units: [stick] });
  await bench.until("the guest has it, and that is on record", isAttached);
}

/** Nothing is written while it is taken, and all of it afterwards. */
async function takenWithoutRoom(why: () => void): Promise<string[]> {
  bench.noRoom();
  const before = bench.records.length;
  why();
  await bench.until("the guest has it no more", () => !isGiven());
  await bench.until("its images are gone", async () => (await bench.volumeFiles()).length === 0);
  expect(bench.records).toHaveLength(before);
  bench.makeRoom();
  await bench.until("it is told", () => bench.records.length > before);
  return kinds().slice(before);
}

describe.skipIf(absent !== null)("without room for records, the guest loses a stick that", () => {
  it("is pulled out", async () => {
    await attached();
    expect(await takenWithoutRoom(() => bench.kernel.unplug(PORT))).toEqual(["usb.removed"]);
  });
  it("comes to be denied", async () => {
    await attached();
    const what = Denied.parse({ kind: "device", rule: "block id 0951:1666" });
    const told = await takenWithoutRoom(() => {
      bench.denied = [{ id: "0123456789ab", until: UNTIL, reason: "a bad lot", what }];
    });
    expect(told).toEqual(["usb.verdict", "usb.step"]);
    expect(bench.said("usb.step").at(-1)).toMatch(/refused at attached, .*a bad lot/);
  });
  it("policy would not let in any more", async () => {
    await attached();
    const told = await takenWithoutRoom(() => {
      bench.policy = UsbSection.parse({ unscannable: "allow", denyTypes: ["text/*"] });
    });
    expect(told).toEqual(["usb.verdict", "usb.step"]);
  });
  it("has it by an exception that is taken back", async () => {
    bench.policy = UsbSection.parse({ unscannable: "hold" });
    bench.start();
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("it asks", () => kinds().includes("usb.request"));
    const { device, descriptors, manifest } = bench.records.at(-1)!.body as UsbRequestBody;
    const grant = { device: device!, descriptors, manifest, reason: "seen", digest: "e".repeat(64), notAfter: UNTIL };
    bench.exceptions = [{ workstation: "w" as Exception["workstation"], ...grant } as Exception];
    await bench.until("the guest has it, and that is on record", isAttached);
    const told = await takenWithoutRoom(() => {
      bench.exceptions = [];
    });
    expect(told).toEqual(["usb.step"]);
    expect(bench.said("usb.step").at(-1)).toMatch(/its exception has ended/);
  });
  it("it has itself, by a direct rule", async () => {
    bench.policy = UsbSection.parse({ directRules: ["allow id 0951:1666"] });
    await attached();
    expect(bench.kernel.authorised(PORT)).toBe(true);
    await takenWithoutRoom(() => {
      bench.policy = UsbSection.parse({ deviceRules: [] });
    });
    expect(bench.kernel.authorised(PORT)).toBe(false);
  });
  it("was handed over when there was room no more, and the trail has it in order", async () => {
    const { guest } = bench;
    bench.start({
      attach: {
        ...guest,
        async image(handle, path) {
          bench.noRoom();
          await guest.image(handle, path);
        },
      },
    });
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("the guest has it", isGiven);
    expect(isAttached()).toBe(false);
    bench.kernel.unplug(PORT);
    await bench.until("the guest has it no more", () => !isGiven());
    expect(isAttached()).toBe(false);
    bench.makeRoom();
    await bench.until("it is told", () => kinds().includes("usb.removed"));
    expect(kinds().slice(-2)).toEqual(["usb.attach", "usb.removed"]);
  });
});

describe.skipIf(absent !== null)("without room for records", () => {
  it("nothing is let in, and the loop goes on: what somebody else opens is closed, as often as it takes", async () => {
    const authorise: string[] = [];
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    bench.start({
      ports: {
        ...ports,
        async authorise(port, yes) {
          if (yes) authorise.push(port);
          return ports.authorise(port, yes);
        },
      },
    });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.noRoom();
    for (let round = 0; round < 3; round++) {
      bench.kernel.flip("1");
      await bench.until("it holds again", () => bench.kernel.defaultOf() === "0");
    }
    bench.kernel.plug("1-3", { units: [stick], descriptors: Buffer.from("nonsense") });
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("what cannot be read is held", () => !bench.kernel.authorised("1-3"));
    expect(authorise).toEqual([]);
    expect(bench.records).toEqual([]);
    bench.makeRoom();
    await bench.until("the guest has it", isGiven);
    expect(bench.said("usb.device").filter((text) => text.includes("usb1")).length).toBeGreaterThan(0);
    expect(bench.said("usb.device").some((text) => text.includes("cannot be judged"))).toBe(true);
  });
  it("what waits for it is held again where somebody else lets it in", async () => {
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    let holds = 0;
    bench.start({
      ports: {
        ...ports,
        async authorise(port, yes) {
          const done = await ports.authorise(port, yes);
          if (!yes && port === PORT) holds += 1;
          return done;
        },
      },
    });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.noRoom();
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("it is held without room to say so", () => holds === 1);
    await ports.authorise(PORT, true);
    await bench.until("it is held again", () => !bench.kernel.authorised(PORT));
    expect(bench.records).toEqual([]);
    bench.makeRoom();
    await bench.until("both are told", () => bench.said("usb.step").some((text) => text.includes("somebody else")));
    expect(bench.said("usb.step")[0]).toMatch(/held; no driver may bind to it/);
  });
  it("what waits to be read is held again too", async () => {
    bench.start({
      async reached({ step }) {
        if (step === "held") bench.noRoom();
      },
    });
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("it is held, and what comes next waits", () => bench.said("usb.step").length === 1);
    await usbPorts(bench.kernel.place, bench.kernel.claimPort).authorise(PORT, true);
    await bench.until("it is held again", () => !bench.kernel.authorised(PORT));
    expect(bench.said("usb.step")).toHaveLength(1);
    bench.makeRoom();
    await bench.until("that is told", () => bench.said("usb.step").some((text) => text.includes("somebody else")));
    await bench.until("the guest has it", isGiven);
  });
  it("a pinned keyboard that is there stays alive", async () => {
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    bench.kernel.plug("1-1", { interfaces: [["03:01:01"]] });
    const read = await ports.read("1-1");
    bench.pins = [{ port: "1-1", descriptors: read?.ok ? read.value.descriptors : "" }];
    let looks = 0;
    let isSeen = false;
    const held: string[] = [];
    bench.noRoom();
    bench.start({
      async reached({ step }) {
        isSeen ||= step === "seen";
      },
      ports: {
        ...ports,
        async plugged() {
          if (isSeen) looks += 1;
          return ports.plugged();
        },
        async authorise(port, yes) {
          if (!yes) held.push(port);
          return ports.authorise(port, yes);
        },
      },
    });
    await bench.until("it is looked at while it waits", () => looks > 20);
    expect(held).toEqual([]);
    expect(bench.kernel.authorised("1-1")).toBe(true);
    expect(bench.records).toEqual([]);
    bench.makeRoom();
    await bench.until("it is dom0's", isAttached);
    expect(held).toEqual([]);
  });
  it("each controller that somebody opened is told", async () => {
    const second = simUsb(join(bench.root, "host"), { controllers: ["usb2"] });
    try {
      bench.start();
      await bench.until("both hold", () => ["usb1", "usb2"].every((name) => bench.kernel.defaultOf(name) === "0"));
      bench.noRoom();
      for (const name of ["usb1", "usb2", "usb1"]) {
        bench.kernel.flip("1", name);
        await bench.until("it holds again", () => bench.kernel.defaultOf(name) === "0");
      }
      bench.makeRoom();
      await bench.until("both are told", () => bench.said("usb.device").length === 2);
      expect(bench.said("usb.device").map((text) => text.split(" ")[1])).toEqual(["usb1", "usb2"]);
    } finally {
      second.stop();
    }
  });
  it("many that come begin no passage beyond a bound; those that have gone by then are counted, the others judged", async () => {
    const passed: string[] = [];
    const log = {
      ...quiet,
      warn: ({ port }: { port?: string }, what: string) => what.endsWith("over") && passed.push(port!),
    };
    bench.start({ log: log as unknown as typeof quiet });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.noRoom();
    const ports = Array.from({ length: 80 }, (_, at) => `1-${at + 2}`);
    for (const port of ports) bench.kernel.plug(port, { interfaces: [["03:01:01"]] });
    await bench.until("some wait untouched", () => passed.length >= 16);
    const own = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    await own.authorise(passed[3]!, true);
    await bench.until("it is held again", () => !bench.kernel.authorised(passed[3]!));
    const gone = passed.slice(0, 3);
    for (let round = 0; round < 5; round++) {
      const before = passed.length;
      for (const port of gone) bench.kernel.unplug(port);
      for (const port of gone) bench.kernel.plug(port, { interfaces: [["03:01:01"]] });
      await bench.until("they have come again", () => passed.length === before + gone.length);
    }
    // each of those that began has said at most that it came and that it is held
    expect(bench.waiting).toBeLessThanOrEqual(2 * 64);
    bench.makeRoom();
    const counted = () => bench.said("usb.device").find((text) => text.includes("came and went"));
    await bench.until("they are counted", () => counted() !== undefined);
    expect(counted()).toMatch(/^15 devices came and went unjudged/);
    const isTold = (port: string) =>
      bench.said("usb.device").some((text) => text.startsWith(`A device at port ${port}:`));
    await bench.until("all that are there are judged", () => ports.every(isTold));
  });
  it("a gate that stops does not wait for it", async () => {
    const read: string[] = [];
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    bench.start({
      ports: {
        ...ports,
        async read(port) {
          read.push(port);
          return ports.read(port);
        },
      },
    });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.noRoom();
    bench.kernel.plug(PORT, { units: [stick] });
    await bench.until("it is seen", () => read.includes(PORT));
    await bench.stop();
    expect(bench.records).toEqual([]);
  });
  it("one that starts again takes back what is owed, and goes on", async () => {
    await attached();
    await bench.stop();
    bench.kernel.unplug(PORT);
    bench.noRoom();
    bench.start();
    await bench.until("the guest has it no more", () => !isGiven());
    const before = bench.records.length;
    bench.kernel.flip("1");
    await bench.until("the loop goes on", () => bench.kernel.defaultOf() === "0");
    bench.makeRoom();
    await bench.until("it is told", () => bench.records.length > before);
    expect(kinds().slice(before)[0]).toBe("usb.removed");
  });
});
