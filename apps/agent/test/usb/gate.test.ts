/** The whole gate: a stick is plugged into a pretend sysfs, and what the guest gets is looked at. */
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { Denied, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbAttachBody, UsbRequestBody, UsbStepBody } from "@sallyport/shared/record/usb.ts";
import * as bodies from "@sallyport/shared/record/usb.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startReader } from "../../src/dom0/confine.ts";
import { DoorError } from "../../src/dom0/dom0.ts";
import { usbPorts } from "../../src/dom0/usb.ts";
import type { ClaimPort } from "../../src/dom0/usb-claim.ts";
import { usbEvents } from "../../src/dom0/usb-watch.ts";
import type { LiveParts } from "../../src/gate/live.ts";
import { scan } from "../../src/gate/scan.ts";
import { simDescriptors } from "../../src/sim/usb-device.ts";
import { extImage, fatImage, layOut, partitioned } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, gateParts, makeBench } from "./gate.ts";

const absent = missing("mkfs.vfat", "mcopy", "mkfs.ext4");
const SCHEMAS = {
  "usb.device": bodies.UsbDeviceBody,
  "usb.step": bodies.UsbStepBody,
  "usb.verdict": bodies.UsbVerdictBody,
  "usb.attach": bodies.UsbAttachBody,
  "usb.removed": bodies.UsbRemovedBody,
  "usb.request": bodies.UsbRequestBody,
  "usb.scan": ScanBody,
};

let bench: Bench;
let stick: string;
beforeEach(() => {
  bench = makeBench();
  stick = fatImage(
    join(bench.root, "stick.img"),
    layOut(join(bench.root, "tree"), { "letter.txt": "dear reader" }),
    12,
  );
});
afterEach(async () => {
  // every record has the shape of its kind
  for (const { kind, body } of bench.records) SCHEMAS[kind as keyof typeof SCHEMAS].parse(body);
  await bench.clear();
});

const steps = () =>
  bench.records
    .filter(({ kind }) => kind === "usb.step")
    .map(({ body }) => body as UsbStepBody)
    .map(({ step, refused }) => (refused ? `refused at ${step}` : step));
const attachOf = () => bench.records.find(({ kind }) => kind === "usb.attach")?.body as UsbAttachBody | undefined;
const isGiven = () => bench.guest.given().size > 0;
const isRefused = () => steps().some((step) => step.startsWith("refused"));
const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

const UNTIL = "2099-01-01T00:00:00.000Z";
const denyFile = (content: string): OverlayEntry => ({
  ...{ id: "ba9876543210", until: UNTIL, reason: "ransomware" },
  what: Denied.parse({ kind: "file", sha256: createHash("sha256").update(content).digest("hex") }),
});

async function filesOf(image: string): Promise<(string | undefined)[]> {
  const copy = join(bench.root, `${basename(image)}.copy`);
  copyFileSync(image, copy);
  const options = { policy: bench.policy, clamd: null, start: startReader, now: () => new Date(), lanes: 1 };
  return (await scan(copy, options)).manifest.map(({ path }) => path);
}

describe.skipIf(absent !== null)("a stick", () => {
  it("is held, read once, cut off, scanned, and its rebuilt copy is the guest's until it is pulled out", async () => {
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect(steps()).toEqual(["held", "classified", "copied", "sealed", "listed", "scanned", "decided"]);
    expect(bench.kernel.authorised("1-2")).toBe(false);
    expect(bench.kernel.bindings("1-2")).toBe(1);
    expect(attachOf()).toMatchObject({ mode: "rebuild", verified: true, files: 1, imageSha256: sha256(stick) });
    expect(await filesOf([...bench.guest.given().values()][0]!)).toEqual(["letter.txt"]);
    bench.kernel.unplug("1-2");
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("nothing is left of it", async () => (await bench.volumeFiles()).length === 0);
    expect(bench.said("usb.removed")).toHaveLength(1);
    expect(bench.said("usb.device")[0]).toMatch(/1-2: 0951:1666, claims to be "Kingston DataTraveler", 08:06:50/);
  });
  it("says how far it is read, where a person looks and now and then on record", async () => {
    truncateSync(stick, 64 * 1024 * 1024);
    let clock = Date.now();
    const { volume } = gateParts({ ...bench, attach: bench.guest });
    bench.start({
      now: () => clock,
      // a stick that takes a second for 4 MiB
      volume: {
        ...volume,
        copy: (order) =>
          volume.copy({
            ...order,
            onProgress(at) {
              clock += 1_000;
              order.onProgress(at);
            },
          }),
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    const shares = bench.records.flatMap(({ body }) => (body as UsbStepBody).share ?? []);
    expect(shares).toEqual([5 / 16, 10 / 16, 15 / 16]);
    expect(bench.said("usb.step").filter((text) => text.includes(" reading, "))[0]).toMatch(
      /: reading, 31 % of 64 MiB$/,
    );
    const stands = bench.states.flatMap((state) => ("at" in state && state.at?.includes("reading") ? state.at : []));
    expect(stands).toEqual([6, 25, 43, 62, 81, 100].map((percent) => `1-2: reading, ${percent} %`));
  });
  it("that answers otherwise the second time gives the guest what it answered first", async () => {
    bench.policy = UsbSection.parse({ unscannable: "allow", present: "image" });
    const first = sha256(stick);
    bench.start({
      async reached({ step }) {
        if (step === "copied") writeFileSync(stick, Buffer.alloc(readFileSync(stick).length, "B"));
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    expect(sha256(stick)).not.toBe(first);
    expect(sha256([...bench.guest.given().values()][0]!)).toBe(first);
  });
  describe("with bytes beside its partitions", () => {
    const hidden = () => {
      const disk = partitioned(join(bench.root, "disk.img"), "dos", [{ image: stick, type: "c" }]);
      const bytes = readFileSync(disk);
      bytes.write("nobody looked at this", 4_096);
      writeFileSync(disk, bytes);
      return disk;
    };
    it("is held where the guest would get them, and the request names the whole image", async () => {
      bench.policy = UsbSection.parse({ unscannable: "allow", present: "image" });
      const disk = hidden();
      bench.start();
      bench.kernel.plug("1-2", { units: [disk] });
      await bench.until("it is asked for", () => bench.said("usb.request").length === 1);
      const asked = bench.records.find(({ kind }) => kind === "usb.request")?.body as UsbRequestBody;
      expect(asked).toMatchObject({ rule: "outside", reason: expect.stringMatching(/outside of its partitions/) });
      expect(asked.images).toEqual([{ bytes: readFileSync(disk).length, sha256: sha256(disk) }]);
      expect(isGiven()).toBe(false);
    });
    it("goes to the guest where policy lets it, and is not called verified", async () => {
      bench.policy = UsbSection.parse({ unscannable: "allow", present: "image", outside: "allow" });
      bench.start();
      bench.kernel.plug("1-2", { units: [hidden()] });
      await bench.until("that is on record", () => attachOf() !== undefined);
      expect(attachOf()).toMatchObject({ mode: "image", verified: false });
      expect(attachOf()!.unlisted).toEqual([expect.stringMatching(/which are not zeros/)]);
      expect(bench.said("usb.attach")[0]).toMatch(/NOT ALL OF IT VERIFIED/);
    });
    it("gives the guest the copy, without them", async () => {
      bench.start();
      bench.kernel.plug("1-2", { units: [hidden()] });
      await bench.until("that is on record", () => attachOf() !== undefined);
      expect(attachOf()).toMatchObject({ mode: "rebuild", verified: true });
      expect(readFileSync([...bench.guest.given().values()][0]!).includes("nobody looked")).toBe(false);
    });
  });
  it("whose sealed image was changed before it is attached is refused", async () => {
    bench.policy = UsbSection.parse({ unscannable: "allow", present: "image" });
    bench.start({
      async reached({ step }) {
        if (step === "scanned")
          for (const file of await bench.volumeFiles()) writeFileSync(join(bench.volume, file), "another content");
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(steps().at(-1)).toBe("refused at decided");
    expect(isGiven()).toBe(false);
  });
  it("whose copy was changed between the look at it and the guest is refused", async () => {
    bench.start({
      async reached(state) {
        if (state.step !== "decided" || state.handles.length === 0) return;
        for (const file of await bench.volumeFiles()) {
          const path = join(bench.volume, file);
          const bytes = readFileSync(path);
          if (bytes.includes("EXFAT")) writeFileSync(path, bytes);
        }
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/refused at decided, what was looked at was changed since/);
    expect(isGiven()).toBe(false);
  });
  it("whose copy is put aside for another while the guest opens it is taken back", async () => {
    const { guest } = bench;
    bench.start({
      attach: {
        ...guest,
        async image(handle, path) {
          await guest.image(handle, path);
          const other = `${path}.other`;
          writeFileSync(other, readFileSync(path), { mode: 0o400 });
          renameSync(other, path);
        },
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/another file lies in the place of/);
    await bench.until("the guest has lost it", () => !isGiven());
    expect(attachOf()).toBeUndefined();
  });
  it("that the guest has is taken back when one of its files is denied, and is blocked when it comes again", async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    bench.denied = [denyFile("another content")];
    bench.denied = [denyFile("dear reader")];
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("that is on record", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/it holds the file [0-9a-f]{64}, denied until/);
    expect(bench.said("usb.verdict")).toEqual([expect.stringMatching(/block.*it holds the file/)]);
    await bench.until("nothing is left of it", async () => (await bench.volumeFiles()).length === 0);
    bench.kernel.unplug("1-2");
    await bench.until("it has gone", () => bench.said("usb.removed").length > 0);
    bench.records.length = 0;
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(steps().at(-1)).toBe("refused at decided");
    bench.denied = [];
    bench.kernel.unplug("1-2");
    await bench.until("it has gone again", () => bench.said("usb.removed").length > 0);
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it once the overlay is lifted", isGiven);
  });
  it("that the guest kept over a restart is taken back when files are denied, since nobody knows what is on it", async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    await bench.until("that is on record", () => attachOf() !== undefined);
    await bench.stop();
    bench.denied = [denyFile("another content")];
    bench.start();
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("that is on record", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/not known any more since the agent was started again: plug it in/);
  });
  it("that is ready together with another has a handle of its own", async () => {
    bench.policy = UsbSection.parse({ unscannable: "allow", present: "image" });
    const ready = new Set<string>();
    const both = Promise.withResolvers<void>();
    bench.start({
      attach: {
        ...bench.guest,
        // asking the guest what it has takes a moment
        async planImage(taken) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return bench.guest.planImage(taken);
        },
      },
      async reached({ step, device: { port } }) {
        if (step !== "decided") return;
        if (ready.add(port).size === 2) both.resolve();
        await both.promise;
      },
    });
    for (const [port, serial] of [
      ["1-2", "A"],
      ["1-3", "B"],
    ] as const)
      bench.kernel.plug(port, { units: [stick], serial });
    await bench.until("the guest has both", () => bench.said("usb.attach").length === 2);
    expect([...bench.guest.given().keys()].sort()).toEqual(["stick-0", "stick-1"]);
    expect(isRefused()).toBe(false);
  });
  it("that the guest does not take leaves it what it has from somebody else, by the same handle too", async () => {
    const theirs = join(bench.root, "theirs.img");
    copyFileSync(stick, theirs);
    bench.start({
      async reached(state) {
        if (state.step === "decided" && state.handles.length > 0) await bench.guest.image(state.handles[0]!, theirs);
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/somebody else has given the guest a stick-0 meanwhile/);
    await bench.until("nothing of it is left", async () => (await bench.volumeFiles()).length === 0);
    expect([...bench.guest.given().values()]).toEqual([theirs]);
  });
  it("that is denied as a device is never read, and one that comes to be denied is taken back", async () => {
    const denied = Denied.parse({ kind: "device", rule: "block id 0951:1666" });
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    bench.denied = [{ id: "0123456789ab", until: UNTIL, reason: "a bad lot", what: denied }];
    await bench.until("the guest has lost it", () => !isGiven());
    bench.kernel.unplug("1-2");
    await bench.until("it has gone", () => bench.said("usb.removed").length > 0);
    bench.records.length = 0;
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(steps()).toEqual(["held", "refused at held"]);
    expect(bench.said("usb.verdict")[0]).toMatch(/denied until .* by block id 0951:1666 .*a bad lot/);
  });
  it("that is also a keyboard never gets a driver", async () => {
    bench.policy = UsbSection.parse({ unscannable: "allow", deviceRules: ["allow"] });
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [stick], interfaces: [["08:06:50"], ["03:01:01"]] });
    bench.kernel.plug("1-3", { units: [stick], interfaces: [["08:06:50", "03:01:01"]] });
    await bench.until("both are refused", () => steps().filter((step) => step === "refused at held").length === 2);
    expect([bench.kernel.bindings("1-2"), bench.kernel.bindings("1-3")]).toEqual([0, 0]);
    expect(bench.said("usb.verdict")[0]).toMatch(/blocked, a stick has one interface; this has 08:06:50, 03:01:01/);
  });
  it("that becomes a keyboard once it is let in is cut off unread", async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick], binds: ["08:06:50", "03:01:01"] });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/judged as 08:06:50 and became 08:06:50, 03:01:01/);
    expect(bench.kernel.authorised("1-2")).toBe(false);
    expect(isGiven()).toBe(false);
  });
  it.each(["a keyboard in its place", "another serial"])(
    "that is another device by the time it would be read is not let in for what was judged: %s",
    async (other) => {
      const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
      const letIn: string[] = [];
      let isFirst = true;
      bench.start({
        ports: {
          ...ports,
          async authorise(port, yes, shut) {
            if (yes) letIn.push(port);
            return ports.authorise(port, yes, shut);
          },
        },
        async reached({ step, device: { port } }) {
          if (step !== "classified" || !isFirst) return;
          isFirst = false;
          if (other === "another serial")
            return writeFileSync(join(bench.kernel.place.sysfs, "bus/usb/devices", port, "serial"), "other\n");
          bench.kernel.unplug(port);
          bench.kernel.plug(port, { interfaces: [["03:01:01"]], units: [] });
        },
      });
      await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
      bench.kernel.plug("1-2", { units: [stick] });
      if (other === "another serial") {
        await bench.until("it is refused", isRefused);
        expect(bench.said("usb.step").at(-1)).toMatch(/not what was judged any more: 0951:1666, serial "other"/);
      } else {
        await bench.until("the first is gone", () => bench.said("usb.removed").length === 1);
        await bench.until("the keyboard is judged for itself", () => steps().includes("refused at held"));
      }
      expect(letIn).toEqual([]);
      expect(bench.kernel.bindings("1-2")).toBe(0);
    },
  );
  it("with descriptors that do not add up stays held and is said", async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick], descriptors: Buffer.from("nonsense") });
    await bench.until("it is said", () => bench.said("usb.device").length === 1);
    expect(bench.said("usb.device")[0]).toMatch(/cannot be judged and stays held/);
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
  });
  it("has each logical unit read; the one without a medium is passed over", async () => {
    const other = extImage(
      join(bench.root, "other.img"),
      layOut(join(bench.root, "more"), { "more.txt": "m" }),
      "ext2",
    );
    bench.start();
    bench.kernel.plug("1-2", { units: [stick, null, other] });
    await bench.until("the guest has both", () => bench.guest.given().size === 2);
    const names = await Promise.all([...bench.guest.given().values()].map((path) => filesOf(path)));
    expect(names.flat().sort()).toEqual(["letter.txt", "more.txt"]);
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect(attachOf()!.units.map(({ lun }) => lun)).toEqual([0, 2]);
  });
  it("that nobody else may have is held again when somebody lets it in", async () => {
    bench.policy = UsbSection.parse({ deviceRules: [] });
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    // once more after a while: the gate's own last hold of it may come after the record of its refusal
    let letInAt = Number.NEGATIVE_INFINITY;
    await bench.until("that is said", () => {
      if (performance.now() - letInAt > 500) {
        letInAt = performance.now();
        writeFileSync(join(bench.kernel.place.sysfs, "bus/usb/devices/1-2/authorized"), "1");
      }
      return bench.said("usb.step").some((text) => text.includes("somebody else"));
    });
    await bench.until("it is held again", () => !bench.kernel.authorised("1-2"));
  });
  it("comes to a controller that somebody opened: it is closed again, and said", async () => {
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.flip("1");
    await bench.until("it holds again", () => bench.kernel.defaultOf() === "0");
    await bench.until("that is said", () => bench.said("usb.device").some((text) => text.includes("usb1")));
  });
  it("comes to a controller that joined after the gate began, as one that holds from its first moment", async () => {
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.join("usb2");
    expect(bench.kernel.defaultOf("usb2")).toBe("0");
    bench.kernel.plug("2-1", { interfaces: [["03:01:01"]] });
    await bench.until("it is refused", isRefused);
    expect(bench.kernel.bindings("2-1")).toBe(0);
    // nobody opened it, so nobody is accused
    expect(bench.said("usb.device").filter((text) => text.includes("usb2"))).toEqual([]);
  });
  it("that would not fit is refused before it is read, with the sizes", async () => {
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    const units: typeof ports.units = async (port) =>
      (await ports.units(port)).map((unit) => ({ ...unit, bytes: 2 ** 50 }));
    bench.start({ ports: { ...ports, units } });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/it is not read: \d{16} bytes are needed and \d+ are free for it/);
    expect(await bench.volumeFiles()).toEqual([]);
  });
  it("goes to the guest itself by a direct rule alone, and that nobody looked at it is said", async () => {
    bench.policy = UsbSection.parse({ directRules: ["allow id 0951:1666"] });
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("the guest has it", isGiven);
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect([...bench.guest.given().values()][0]).toMatch(/^device 1\./);
    expect(attachOf()).toMatchObject({ mode: "device", verified: false });
    expect(bench.said("usb.attach")[0]).toMatch(/CONTENTS NOT VERIFIED/);
    bench.kernel.unplug("1-2");
    await bench.until("the guest has lost it", () => !isGiven());
  });
});

describe.skipIf(absent !== null)("rules that change while the guest has a stick", () => {
  const given = async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("that is on record", () => attachOf() !== undefined);
  };
  const next = (policy: object) => {
    bench.policy = UsbSection.parse({ unscannable: "allow", ...policy });
  };
  const taken = async (why: RegExp) => {
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("that is on record", isRefused);
    expect(bench.said("usb.verdict").at(-1)).toMatch(why);
    expect(bench.said("usb.step").at(-1)).toMatch(why);
    await bench.until("nothing is left of it", async () => (await bench.volumeFiles()).length === 0);
  };
  it("take it back where they would not let it come so far, and say which rule; once", async () => {
    await given();
    next({ deviceRules: ["allow id 1234:*"] });
    await taken(/the device rules changed, and it is blocked: no device rule matches \(implicit\)/);
    next({ deviceRules: [] });
    await bench.until("the gate goes on", () => bench.states.length > 0);
    bench.kernel.unplug("1-2");
    await bench.until("it has gone", () => bench.said("usb.removed").length === 1);
    expect(bench.said("usb.verdict")).toHaveLength(1);
  });
  it("take it back for what is on it: a type, a hash, or what nobody could scan", async () => {
    await given();
    next({ denyTypes: ["text/*"] });
    await taken(/policy changed, and it would block what is on the stick: .*of a denied type/);
  });
  it("take it back over a restart of the agent as well, by what it kept of the scan", async () => {
    await given();
    await bench.stop();
    bench.policy = UsbSection.parse({ unscannable: "hold" });
    bench.start();
    await taken(/would hold what is on the stick: no scanner answered/);
  });
  it("that only loosen leave it where it is, and so do those that come and go", async () => {
    await given();
    const seen = bench.records.length;
    next({ deviceRules: ["allow"], infected: "hold" });
    next({ deviceRules: [] });
    next({ deviceRules: ["allow"], mode: "audit" });
    await bench.stop();
    bench.start();
    // the first look is over when another stick is let in
    bench.kernel.plug("1-3", { units: [stick] });
    await bench.until("another one comes", () => bench.guest.given().size === 2);
    expect(bench.records.slice(seen).filter(({ kind }) => kind === "usb.verdict")).toEqual([]);
    expect(isRefused()).toBe(false);
  });
  it("stop one that is on its way, before the guest gets it", async () => {
    const { guest } = bench;
    const had: string[] = [];
    bench.start({
      async reached(state) {
        if (state.step === "decided" && state.handles.length > 0) next({ deviceRules: [] });
      },
      attach: {
        ...guest,
        async image(handle, path) {
          had.push(handle);
          await guest.image(handle, path);
        },
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", isRefused);
    expect(attachOf()).toBeUndefined();
    expect(bench.said("usb.verdict").at(-1)).toMatch(/no device rule matches/);
    expect(had).toEqual([]);
  });
  it("cut the device itself off before a guest that does not answer is asked for it", async () => {
    next({ directRules: ["allow id 0951:1666"] });
    const answer = Promise.withResolvers<void>();
    bench.start({
      attach: {
        ...bench.guest,
        async detach(handle) {
          await answer.promise;
          await bench.guest.detach(handle);
        },
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect(bench.kernel.authorised("1-2")).toBe(true);
    next({});
    try {
      await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
      expect(isGiven()).toBe(true);
    } finally {
      answer.resolve();
    }
    await bench.until("the guest has lost it", () => !isGiven());
  });
  it("take the device itself from the guest, and a hub from dom0 with all that hangs on it", async () => {
    next({ directRules: ["allow id 0951:1666"], deviceRules: ["allow with-interface equals { 09:00:00 }"] });
    bench.start();
    bench.kernel.plug("1-1", { interfaces: [["09:00:00"]] });
    bench.kernel.plug("1-1.2", { units: [stick] });
    await bench.until("both are let in", () => bench.said("usb.attach").length === 2);
    next({});
    await bench.until("both are taken back", () => bench.said("usb.verdict").length === 2);
    await bench.until("both are held", () => !bench.kernel.authorised("1-1") && !bench.kernel.authorised("1-1.2"));
    await bench.until("the guest has lost it", () => !isGiven());
  });
});

describe("conditions of device rules", () => {
  it("that ask for the past are answered, over a restart as well", async () => {
    bench.policy = UsbSection.parse({ directRules: ["allow if !rule-applied"], deviceRules: [] });
    bench.start();
    bench.kernel.plug("1-2", { units: [] });
    await bench.until("the first one is let in", () => attachOf() !== undefined);
    expect(bench.said("usb.step").at(-1)).toMatch(/handed over by a direct rule/);
    await bench.stop();
    bench.start();
    bench.kernel.plug("1-3", { units: [] });
    await bench.until("the second one is not", isRefused);
    expect(bench.said("usb.verdict").at(-1)).toMatch(/1-3: blocked, no device rule matches/);
    expect(bench.guest.given().size).toBe(1);
  });
  it("that leave it to chance are answered", async () => {
    bench.policy = UsbSection.parse({ directRules: ["allow if random(1)", "allow if random(0)"], deviceRules: [] });
    bench.start();
    bench.kernel.plug("1-2", { units: [] });
    await bench.until("it is let in", () => attachOf() !== undefined);
    expect(bench.said("usb.step").at(-1)).toMatch(/random\(1\)/);
  });
});

describe("a device that is used as it is", () => {
  const direct = { directRules: ["allow id 0951:1666"] };
  /** What sysfs says of it from then on. */
  const says = (port: string, name: string, what: string | Buffer) =>
    writeFileSync(join(bench.kernel.place.sysfs, "bus/usb/devices", port, name), what);
  it.each([
    ["serial", "another one\n", /serial "another one"/],
    ["descriptors", simDescriptors({ interfaces: [["08:06:50"], ["03:01:01"]] }), /not what was judged any more/],
    ["devnum", "99\n", /not what was judged any more/],
  ])("is looked at again before the guest gets it: its %s", async (name, what, why) => {
    bench.policy = UsbSection.parse(direct);
    bench.start({
      async reached({ step }) {
        if (step === "classified") says("1-2", name, what);
      },
    });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [] });
    await bench.until("it is refused or gone", () => isRefused() || bench.said("usb.removed").length > 0);
    expect([...bench.guest.given().values()]).not.toContain("device 1.2");
    // by another number it is another device, and judged for itself
    if (name === "devnum") return;
    expect(bench.said("usb.step").at(-1)).toMatch(why);
    expect(isGiven()).toBe(false);
    expect(bench.kernel.bindings("1-2")).toBe(0);
    expect(bench.kernel.authorised("1-2")).toBe(false);
  });
  it.each([
    ["the guest's", direct, []],
    ["dom0's", { deviceRules: [] }, ["1-2"]],
  ])("and once more when it is let in, as %s: nothing that was not judged may be bound", async (_, policy, pinned) => {
    bench.policy = UsbSection.parse(policy);
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    const device = { units: [], binds: ["08:06:50", "03:01:01"] };
    bench.kernel.plug("1-2", device);
    const read = await ports.read("1-2");
    bench.kernel.unplug("1-2");
    bench.pins = pinned.map((port) => ({ port, descriptors: read?.ok ? read.value.descriptors : "" }));
    bench.start({
      ports: {
        ...ports,
        // as the kernel does it: what is bound is there when the write returns
        async authorise(port, yes, shut) {
          const before = bench.kernel.bindings(port);
          const done = await ports.authorise(port, yes, shut);
          if (yes) await bench.until("it is bound", () => bench.kernel.bindings(port) > before);
          return done;
        },
      },
    });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", device);
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/judged as 08:06:50 and became 08:06:50, 03:01:01/);
    expect(isGiven()).toBe(false);
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
  });
});

describe("dom0's drivers", () => {
  /** The last descriptor is the endpoint by which a stick is written to. */
  const ONE_STICK_BYTES = simDescriptors({}).length;
  const keyboard = { interfaces: [["03:01:01"]], vendor: "1050", product: "0407", units: [] };
  const direct = { directRules: ["allow id 1050:0407"], deviceRules: [] };
  const given = async () => {
    bench.policy = UsbSection.parse(direct);
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", keyboard);
    await bench.until("that is on record", () => attachOf() !== undefined);
  };
  it("are not given what is the guest's: not before it gets it, and not when it lets go", async () => {
    await given();
    expect(bench.kernel.drivers("1-2")).toEqual([]);
    // what comes next is open again
    expect(bench.kernel.facesOf()).toBe("1");
    bench.kernel.reattach("1-2");
    expect(bench.kernel.drivers("1-2")).toEqual([]);
    expect(bench.said("usb.removed")).toEqual([]);
    bench.kernel.unplug("1-2");
    await bench.until("that is on record", () => bench.said("usb.removed").length === 1);
    await bench.until("nothing claims the port", () => !bench.kernel.claimed("1-2"));
  });
  it("that have what is the guest's all the same have it cut off", async () => {
    await given();
    bench.kernel.endClaim("1-2");
    bench.kernel.reattach("1-2");
    expect(bench.kernel.drivers("1-2")).toEqual(["usbhid"]);
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
    await bench.until("that is on record", () => bench.said("usb.removed").length === 1);
    expect(bench.said("usb.removed")[0]).toMatch(/dom0's driver usbhid has taken what the guest let go of/);
    await bench.until("the guest has it no more", () => !isGiven());
    expect(bench.kernel.claimed("1-2")).toBe(false);
  });
  it("are kept off again when the claim was ended by somebody, or with the agent's own life", async () => {
    await given();
    bench.kernel.endClaim("1-2");
    await bench.until("the port is claimed again", () => bench.kernel.claimed("1-2"));
    await bench.stop();
    expect(bench.kernel.claimed("1-2")).toBe(false);
    bench.start();
    await bench.until("the port is claimed again", () => bench.kernel.claimed("1-2"));
    expect(bench.said("usb.removed")).toEqual([]);
    expect(isGiven()).toBe(true);
  });
  it("that nothing keeps off are a reason to give the guest no device, and to take back one that it has", async () => {
    let isRefusing = true;
    const claims: ClaimPort = async (hub, port) => {
      if (isRefusing) throw new DoorError("the kernel says no");
      return bench.kernel.claimPort(hub, port);
    };
    bench.policy = UsbSection.parse(direct);
    bench.start({ ports: usbPorts(bench.kernel.place, claims) });
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", keyboard);
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(/the kernel says no/);
    expect([isGiven(), bench.kernel.drivers("1-2")]).toEqual([false, []]);
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
    bench.kernel.unplug("1-2");
    await bench.until("it is gone", () => bench.said("usb.removed").length === 1);

    isRefusing = false;
    bench.kernel.plug("1-3", keyboard);
    await bench.until("that is on record", () => attachOf() !== undefined);
    isRefusing = true;
    bench.kernel.endClaim("1-3");
    await bench.until("the guest has it no more", () => !isGiven());
    await bench.until("it is held", () => !bench.kernel.authorised("1-3"));
    expect(bench.said("usb.step").at(-1)).toMatch(
      /nothing keeps it from dom0's drivers when the guest lets go of it: the kernel says no/,
    );
  });
  it("have a pinned keyboard that comes where the guest's device was", async () => {
    bench.kernel.plug("1-2", { ...keyboard, vendor: "04d9" });
    const read = await usbPorts(bench.kernel.place).read("1-2");
    bench.kernel.unplug("1-2");
    bench.pins = [{ port: "1-2", descriptors: read?.ok ? read.value.descriptors : "" }];
    await given();
    // another by the next look, which udev has let in
    bench.kernel.unplug("1-2");
    bench.kernel.plug("1-2", { ...keyboard, vendor: "04d9" });
    writeFileSync(join(bench.kernel.place.sysfs, "bus/usb/devices/1-2/authorized"), "1\n");
    await bench.until("dom0's driver has it", () => bench.kernel.drivers("1-2").includes("usbhid"));
    expect(bench.kernel.claimed("1-2")).toBe(false);
  });
  it("are no more asked once the guest has ended, and it is judged anew when the guest is back", async () => {
    await given();
    bench.guest.end();
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
    await bench.until("that is on record", () => bench.said("usb.removed").length === 1);
    expect(bench.said("usb.removed")[0]).toMatch(/the guest has ended and has it no more/);
    expect(bench.kernel.drivers("1-2")).toEqual([]);
    bench.policy = UsbSection.parse({ deviceRules: [] });
    bench.guest.begin();
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.verdict").at(-1)).toMatch(/no device rule matches/);
    expect(bench.said("usb.attach")).toHaveLength(1);
    expect(bench.kernel.authorised("1-2")).toBe(false);
  });
  it("have a pinned keyboard also where it came in the moment that shuts others out", async () => {
    bench.kernel.plug("1-1", keyboard);
    const read = await usbPorts(bench.kernel.place, bench.kernel.claimPort).read("1-1");
    bench.kernel.unplug("1-1");
    bench.pins = [{ port: "1-1", descriptors: read?.ok ? read.value.descriptors : "" }];
    const shut = join(bench.kernel.place.sysfs, "bus/usb/devices/usb1/interface_authorized_default");
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    writeFileSync(shut, "0\n");
    bench.kernel.plug("1-1", keyboard);
    await bench.until("dom0's driver has it", () => bench.kernel.drivers("1-1").includes("usbhid"));
    await bench.stop();
    // a life that was cut short in that moment leaves it shut, the next opens it
    bench.start();
    await bench.until("it is open again", () => bench.kernel.facesOf() === "1");
  });
  it.each([
    [
      "another driver would take by its number",
      { vendor: "eb1a", product: "2750" },
      /em28xx would take it by its number eb1a:2750/,
    ],
    [
      "has nothing to read by",
      { descriptors: simDescriptors({}).fill(0x81, ONE_STICK_BYTES - 5, ONE_STICK_BYTES - 4) },
      /its interface 08:06:50 has no bulk endpoint out/,
    ],
  ])("are not asked for a stick that %s", async (_, device, why) => {
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [], ...device });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(why);
    expect([bench.kernel.bindings("1-2"), bench.kernel.authorised("1-2")]).toEqual([0, false]);
  });
  it("that take a stick in usb-storage's place have it cut off, and that is said", async () => {
    bench.start();
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [], driver: "visor" });
    await bench.until("the other has it", () => {
      bench.kernel.reattach("1-2");
      return bench.kernel.drivers("1-2").length > 0;
    });
    await bench.until("it is refused", isRefused);
    expect(bench.said("usb.step").at(-1)).toMatch(
      /dom0's driver visor has taken 1-2:1.0; a stick is usb-storage's alone/,
    );
    expect(bench.kernel.authorised("1-2")).toBe(false);
  });
});

describe.skipIf(absent !== null)("a guest that loses what it had", () => {
  const given = async (more?: Partial<LiveParts>) => {
    bench.start(more);
    await bench.until("the controller holds", () => bench.kernel.defaultOf() === "0");
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("that is on record", () => attachOf() !== undefined);
  };
  it("by its own end gets it again when it is back, read and scanned anew", async () => {
    await given();
    bench.guest.end();
    await bench.until("that is on record", () => bench.said("usb.removed").length === 1);
    await bench.until("nothing of it is left", async () => (await bench.volumeFiles()).length === 0);
    expect(bench.kernel.bindings("1-2")).toBe(1);
    bench.guest.begin();
    await bench.until("the guest has it again", () => bench.said("usb.attach").length === 2);
    expect(bench.kernel.bindings("1-2")).toBe(2);
    expect(isGiven()).toBe(true);
  });
  it("by somebody's hand gets it again only when it is plugged in again", async () => {
    let seen = 0;
    const holds: typeof bench.guest.holds = async (handles) => {
      const found = await bench.guest.holds(handles);
      if (found.has.length > 0) seen++;
      return found;
    };
    await given({ attach: { ...bench.guest, holds } });
    const [handle] = [...bench.guest.given().keys()];
    await bench.until("it was seen with it", () => seen > 1);
    await bench.guest.detach(handle!);
    await bench.until("that is on record", () => bench.said("usb.removed").length === 1);
    expect(bench.said("usb.removed")[0]).toMatch(/somebody took it away/);
    // another one passes meanwhile
    bench.kernel.plug("1-3", { units: [stick], serial: "other" });
    await bench.until("the other is given", () => bench.said("usb.attach").length === 2);
    expect(bench.kernel.bindings("1-2")).toBe(1);
    bench.kernel.unplug("1-2");
    await bench.until("it is forgotten", () => !bench.kernel.authorised("1-2"));
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is given again", () => bench.said("usb.attach").length === 3);
  });
});

describe.skipIf(absent !== null)("pulled out", () => {
  it.each(["seen", "held", "classified", "copied", "sealed", "listed", "scanned", "decided"])(
    "at %s it is refused, and nothing of it is left",
    async (at) => {
      let pulled = false;
      bench.start({
        async reached({ step }) {
          if (step !== at || pulled) return;
          pulled = true;
          bench.kernel.unplug("1-2");
        },
      });
      bench.kernel.plug("1-2", { units: [stick] });
      await bench.until("it is removed", () => bench.said("usb.removed").length === 1);
      await bench.until("nothing is left", async () => (await bench.volumeFiles()).length === 0 && !isGiven());
      expect(isRefused()).toBe(true);
      expect(bench.records.at(-1)?.kind).toBe("usb.removed");
    },
  );
});

describe.skipIf(absent !== null)("an exception", () => {
  const requestOf = () => bench.records.find(({ kind }) => kind === "usb.request")?.body as UsbRequestBody | undefined;
  const exceptionTo = (asked: UsbRequestBody, more: Partial<Exception> = {}): Exception => ({
    workstation: "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as Exception["workstation"],
    descriptors: asked.descriptors as Exception["descriptors"],
    device: asked.device!,
    manifest: asked.manifest as Exception["manifest"],
    reason: "looked at by hand",
    digest: "d".repeat(64),
    notAfter: new Date(Date.now() + 3_600_000).toISOString(),
    ...more,
  });
  it("is asked for where a stick is held, lets those contents pass, and with its end the guest loses them", async () => {
    bench.policy = UsbSection.parse({});
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is asked for", () => requestOf() !== undefined);
    expect(requestOf()).toMatchObject({ files: 1, rule: "unscannable" });
    const zeros = "0".repeat(64) as Exception["manifest"];
    const other = exceptionTo(requestOf()!, { manifest: zeros, digest: "e".repeat(64) });
    bench.exceptions = [other, exceptionTo(requestOf()!)];
    await bench.until("the guest has it", isGiven);
    expect(bench.said("usb.verdict").at(-1)).toMatch(/allowed until .* by an exception: looked at by hand/);
    expect(await filesOf([...bench.guest.given().values()][0]!)).toEqual(["letter.txt"]);
    await bench.until("that is on record", () => attachOf() !== undefined);
    bench.exceptions = [other];
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("that is said", () =>
      bench.said("usb.step").some((text) => text.includes("exception has ended")),
    );
  });
  it("is for one stick, and not for another of its model with the same files", async () => {
    bench.policy = UsbSection.parse({});
    bench.start();
    bench.kernel.plug("1-2", { units: [stick], serial: "AAAA" });
    await bench.until("it is asked for", () => requestOf() !== undefined);
    const first = requestOf()!;
    bench.exceptions = [exceptionTo(first)];
    await bench.until("the guest has it", isGiven);
    bench.kernel.unplug("1-2");
    await bench.until("it is gone", () => !isGiven());
    bench.kernel.plug("1-2", { units: [stick], serial: "BBBB" });
    const asked = () =>
      bench.records.flatMap(({ kind, body }) => (kind === "usb.request" ? [body as UsbRequestBody] : []));
    await bench.until("the other asks for itself", () => asked().length === 2);
    expect(asked()[1]).toMatchObject({ descriptors: first.descriptors, manifest: first.manifest });
    expect(asked()[1]!.device).not.toBe(first.device);
    expect(asked()[1]!.request).not.toBe(first.request);
    expect(isGiven()).toBe(false);
  });
  it.each([true, false])(
    "that ended while the agent was away takes it back at the start; a guest that lets go: %s",
    async (lets) => {
      bench.policy = UsbSection.parse({});
      bench.start();
      bench.kernel.plug("1-2", { units: [stick] });
      await bench.until("it is asked for", () => requestOf() !== undefined);
      bench.exceptions = [exceptionTo(requestOf()!)];
      await bench.until("that is on record", () => attachOf() !== undefined);
      await bench.stop();
      bench.exceptions = [];
      bench.guest.holdOn(!lets);
      bench.start();
      await bench.until("that is said", () =>
        bench.said("usb.step").some((text) => text.includes("exception has ended")),
      );
      if (!lets) {
        await bench.until("that the guest has it is said", () =>
          bench.said("usb.step").some((text) => /the guest does not let go of stick-0; it is asked again/.test(text)),
        );
        expect(isGiven()).toBe(true);
        // once more from the start, where it was refused already
        await bench.stop();
        bench.start();
        await bench.until("that is said again", () =>
          bench.said("usb.removed").some((text) => text.includes("the guest does not let go of stick-0")),
        );
        expect((await bench.volumeFiles()).length).toBeGreaterThan(0);
        bench.guest.holdOn(false);
      }
      await bench.until("the guest has lost it", () => !isGiven());
    },
  );
  it("hands over the image only where it binds that; where it binds the files, a copy of them", async () => {
    bench.policy = UsbSection.parse({ present: "image" });
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is asked for", () => requestOf() !== undefined);
    const images = requestOf()!.images as Exception["images"];
    expect(images).toEqual([{ bytes: readFileSync(stick).length, sha256: sha256(stick) }]);
    const first = requestOf()!;
    const other = [{ ...images![0]!, sha256: "0".repeat(64) as Sha256 }];
    bench.exceptions = [exceptionTo(requestOf()!, { images: other, digest: "e".repeat(64) })];
    bench.exceptions = [...bench.exceptions, exceptionTo(requestOf()!)];
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect(attachOf()).toMatchObject({ mode: "rebuild", files: 1 });
    expect(bench.said("usb.verdict").at(-1)).toMatch(/handed over is a copy of the files/);
    bench.kernel.unplug("1-2");
    await bench.until("the guest has lost it", () => !isGiven());
    await bench.until("that is said", () => bench.said("usb.removed").length === 1);
    bench.records.length = 0;
    bench.exceptions = [...bench.exceptions, exceptionTo(first, { images, digest: "f".repeat(64) })];
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("that is on record", () => attachOf() !== undefined);
    expect(attachOf()).toMatchObject({ mode: "image" });
    expect(bench.said("usb.verdict").at(-1)).toMatch(/handed over is the whole image, \d+ bytes, sha256/);
    expect(sha256([...bench.guest.given().values()][0]!)).toBe(sha256(stick));
  });
  it("asks under the same name when the same stick comes back", async () => {
    bench.policy = UsbSection.parse({});
    bench.start();
    const requests = () =>
      bench.records.flatMap(({ kind, body }) => (kind === "usb.request" ? [(body as UsbRequestBody).request] : []));
    for (const times of [1, 2]) {
      bench.kernel.plug("1-2", { units: [stick] });
      await bench.until("it is asked for", () => requests().length === times);
      bench.kernel.unplug("1-2");
      await bench.until("it is removed", () => bench.said("usb.removed").length === times);
    }
    expect(new Set(requests()).size).toBe(1);
    expect(bench.records.filter(({ kind }) => kind === "usb.scan")).toMatchObject([
      { body: { verdict: "hold" } },
      { body: { verdict: "hold" } },
    ]);
  });
});

describe("what is no stick", () => {
  it("a pinned keyboard lives from the first moment, another at its port does not", async () => {
    const keyboard = { interfaces: [["03:01:01"]], vendor: "046d", product: "c31c", units: [] };
    bench.kernel.plug("1-1", keyboard);
    const read = await usbPorts(bench.kernel.place, bench.kernel.claimPort).read("1-1");
    bench.pins = [{ port: "1-1", descriptors: read?.ok ? read.value.descriptors : "" }];
    bench.start();
    await bench.until("it is dom0's", () => bench.said("usb.attach").length === 1);
    expect(bench.kernel.authorised("1-1")).toBe(true);
    expect(bench.kernel.bindings("1-1")).toBe(1);
    bench.kernel.unplug("1-1");
    await bench.until("it is removed", () => bench.said("usb.removed").length === 1);
    bench.kernel.plug("1-1", { ...keyboard, product: "c31d" });
    await bench.until("it is refused", isRefused);
    expect(bench.kernel.authorised("1-1")).toBe(false);
  });
  it("is judged where a stick was before that the guest does not let go of, by the same numbers too", async () => {
    bench.start();
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("that is on record", () => attachOf() !== undefined);
    await bench.stop();
    bench.guest.holdOn(true);
    bench.kernel.unplug("1-2");
    bench.kernel.plug("1-2", { interfaces: [["03:01:01"]], units: [] });
    writeFileSync(join(bench.kernel.place.sysfs, "bus/usb/devices/1-2/devnum"), "2\n");
    await usbPorts(bench.kernel.place, bench.kernel.claimPort).authorise("1-2", true);
    bench.start();
    await bench.until("the keyboard is refused", () => steps().includes("refused at held"));
    expect(bench.kernel.authorised("1-2")).toBe(false);
    expect(isGiven()).toBe(true);
    bench.guest.holdOn(false);
    await bench.until("the guest has lost it", () => !isGiven());
  });
  it("a pinned keyboard at the port of a stick that has gone is not cut off when the gate ends", async () => {
    const keyboard = { interfaces: [["03:01:01"]], vendor: "046d", product: "c31c", units: [] };
    const ports = usbPorts(bench.kernel.place, bench.kernel.claimPort);
    bench.kernel.plug("1-2", keyboard);
    const read = await ports.read("1-2");
    bench.pins = [{ port: "1-2", descriptors: read?.ok ? read.value.descriptors : "" }];
    bench.kernel.unplug("1-2");
    bench.policy = UsbSection.parse({ deviceRules: [] });
    let looks = true;
    let isHeldAsRefused: boolean | undefined;
    bench.start({
      async *events(signal) {
        for await (const event of usbEvents(signal, { udev: false, everyMs: 10 })) if (looks) yield event;
      },
      ports: {
        ...ports,
        async authorise(port, yes) {
          const done = await ports.authorise(port, yes);
          if (!yes && isHeldAsRefused === false) isHeldAsRefused = true;
          return done;
        },
      },
      async reached({ step }) {
        if (step === "refused") isHeldAsRefused = false;
      },
    });
    bench.kernel.plug("1-2", { units: [] });
    await bench.until("the stick is refused, and held", () => isHeldAsRefused === true);
    looks = false;
    bench.kernel.unplug("1-2");
    bench.kernel.plug("1-2", keyboard);
    await ports.authorise("1-2", true);
    await bench.stop();
    expect(bench.kernel.authorised("1-2")).toBe(true);
  });
  it("a hub carries others by rule, each of them judged by itself", async () => {
    bench.policy = UsbSection.parse({ deviceRules: ["allow with-interface equals { 09:00:00 }"] });
    bench.start();
    bench.kernel.plug("1-1", { interfaces: [["09:00:00"]] });
    await bench.until("it is dom0's", () => bench.said("usb.attach").length === 1);
    bench.kernel.plug("1-1.2", { units: [stick] });
    await bench.until("the stick is refused", isRefused);
    expect([bench.kernel.authorised("1-1"), bench.kernel.authorised("1-1.2")]).toEqual([true, false]);
  });
  it("a machine without USB is said to be one", async () => {
    bench.start({ ports: usbPorts({ sysfs: join(bench.root, "none"), dev: "/dev" }) });
    await bench.until("it is said", () => bench.states.some(({ state }) => state === "absent"));
  });
});
