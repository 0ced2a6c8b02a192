/** What is taken back between the verdict and the guest: the copy is being made, or the image is hashed once more. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Denied, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { usbVolume } from "../../src/dom0/usb-volume.ts";
import type { LiveParts } from "../../src/gate/live.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Bench, gateParts, makeBench, WORKSTATION } from "./gate.ts";

const absent = missing("mkfs.vfat", "mcopy");

let bench: Bench;
let stick: string;
/** What the guest was ever given. */
let had: string[];
beforeEach(() => {
  bench = makeBench();
  had = [];
  const tree = layOut(join(bench.root, "tree"), { "letter.txt": "dear reader" });
  stick = fatImage(join(bench.root, "stick.img"), tree, 12);
});
afterEach(() => bench.clear());

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const deny = (what: object): OverlayEntry => ({
  ...{ id: "ba9876543210", until: "2099-01-01T00:00:00.000Z", reason: "ransomware" },
  what: Denied.parse(what),
});
const recording = (): NonNullable<LiveParts["attach"]> => ({
  ...bench.guest,
  async image(handle, path) {
    had.push(handle);
    await bench.guest.image(handle, path);
  },
  async device(handle, at) {
    had.push(handle);
    await bench.guest.device(handle, at);
  },
});
const refusal = () => bench.said("usb.step").find((text) => /refused/.test(text));
const requestOf = () => bench.records.find(({ kind }) => kind === "usb.request")?.body as UsbRequestBody | undefined;

describe.skipIf(absent !== null)("the guest is never given a stick", () => {
  it("whose exception is revoked while its copy is made", async () => {
    bench.policy = UsbSection.parse({});
    const { rebuild, volume } = gateParts({ ...bench, attach: undefined });
    bench.start({
      attach: recording(),
      volume,
      async rebuild(...order) {
        const made = await rebuild(...order);
        bench.exceptions = [];
        return made;
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is asked for", () => requestOf() !== undefined);
    const { descriptors, device, manifest } = requestOf()!;
    const exception = { workstation: WORKSTATION, descriptors, device, manifest, reason: "looked at by hand" };
    bench.exceptions = [
      { ...exception, digest: "d".repeat(64), notAfter: new Date(Date.now() + 3_600_000).toISOString() } as Exception,
    ];
    await bench.until("it is refused", () => refusal() !== undefined);
    expect(refusal()).toMatch(/its exception has ended/);
    expect(had).toEqual([]);
  });

  it.each([
    [
      "a file of it is denied",
      () => (bench.denied = [deny({ kind: "file", sha256: sha256("dear reader") })]),
      /denied/,
    ],
    ["rules would block it", () => (bench.policy = UsbSection.parse({ deviceRules: [] })), /no device rule/],
  ])("where %s while its image is hashed once more", async (_, happens, reason) => {
    bench.policy = UsbSection.parse({ unscannable: "allow", present: "image" });
    const volume = usbVolume(bench.volume);
    const hashed: string[] = [];
    bench.start({
      attach: recording(),
      volume: {
        ...volume,
        async check(file) {
          hashed.push(file);
          // of the last of its units
          if (hashed.length === 2) happens();
          return await volume.check(file);
        },
      },
    });
    bench.kernel.plug("1-2", { units: [stick, stick] });
    await bench.until("it is refused", () => refusal() !== undefined);
    expect(refusal()).toMatch(reason);
    expect(had).toEqual([]);
    await bench.until("nothing is left of it", async () => (await bench.volumeFiles()).length === 0);
  });

  it("where it is denied while it is let in for a direct rule", async () => {
    bench.policy = UsbSection.parse({ directRules: ["allow id 0951:1666"] });
    const { ports } = gateParts({ ...bench, attach: undefined });
    bench.start({
      attach: recording(),
      ports: {
        ...ports,
        async open(port) {
          await ports.open(port);
          bench.denied = [deny({ kind: "device", rule: "block id 0951:1666" })];
        },
      },
    });
    bench.kernel.plug("1-2", { units: [stick] });
    await bench.until("it is refused", () => refusal() !== undefined);
    expect(refusal()).toMatch(/denied until/);
    expect(had).toEqual([]);
    await bench.until("it is held", () => !bench.kernel.authorised("1-2"));
  });
});
