import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDescriptors } from "./descriptors.ts";
import { type RawDevice, readDevice, UsbDevice } from "./device.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const device = (configurations: number) => [
  18,
  1,
  0,
  2,
  0,
  0,
  0,
  64,
  0x51,
  0x09,
  0x66,
  0x16,
  0,
  1,
  1,
  2,
  3,
  configurations,
];
const face = (number: number, alternate: number, ...type: number[]) => [9, 4, number, alternate, 0, ...type, 0];
const endpoint = [7, 5, 0x81, 2, 0, 2, 0];
function configuration(value: number, count: number, ...inside: number[][]): number[] {
  const body = inside.flat();
  const total = 9 + body.length;
  return [9, 2, total & 0xff, total >> 8, count, value, 0, 0x80, 50, ...body];
}
const STORAGE = [8, 6, 0x50];
const bytes = (...parts: number[][]) => Uint8Array.from(parts.flat());
const stick = bytes(device(1), configuration(1, 1, face(0, 0, ...STORAGE), endpoint, endpoint));

describe("descriptors", () => {
  it("of a stick name its one interface", () => {
    expect(readDescriptors(stick)).toEqual({
      ok: true,
      value: {
        id: "0951:1666",
        type: "00:00:00",
        configurations: 1,
        interfaces: [{ configuration: 1, number: 0, alternate: 0, type: "08:06:50", bulk: { in: true, out: false } }],
      },
    });
  });
  it("show a keyboard wherever it hides: second interface, alternate setting, second configuration", () => {
    const keyboard = [3, 1, 1];
    const hidden = [
      bytes(device(1), configuration(1, 2, face(0, 0, ...STORAGE), face(1, 0, ...keyboard))),
      bytes(device(1), configuration(1, 1, face(0, 0, ...STORAGE), face(0, 1, ...keyboard))),
      bytes(device(2), configuration(1, 1, face(0, 0, ...STORAGE)), configuration(2, 1, face(0, 0, ...keyboard))),
    ];
    for (const raw of hidden) {
      const read = readDescriptors(raw);
      expect(read.ok && read.value.interfaces.map(({ type }) => type)).toEqual(["08:06:50", "03:01:01"]);
    }
  });
  it.each([
    ["nothing", bytes(), /begin with a device/],
    ["half a device", stick.slice(0, 10), /begin with a device/],
    ["a configuration cut off", stick.slice(0, -3), /claims/],
    ["bytes behind the last configuration", bytes([...stick], [0]), /begins no configuration/],
    ["a descriptor of no length", bytes(device(1), configuration(1, 0, [0, 0])), /of 0 bytes/],
    ["a short interface", bytes(device(1), configuration(1, 1, [5, 4, 0, 0, 0])), /interface of 5/],
    ["fewer configurations than said", bytes(device(2), configuration(1, 1, face(0, 0, ...STORAGE))), /2 config/],
    [
      "interfaces it does not count",
      bytes(device(1), configuration(1, 1, face(0, 0, ...STORAGE), face(1, 0, 3, 1, 1))),
      /has 2/,
    ],
    ["a configuration inside another", bytes(device(1), configuration(1, 0, [9, 2, 9, 0, 0, 2, 0, 0, 0])), /inside/],
  ])("that are %s are refused", (_, raw, why) => {
    const read = readDescriptors(raw);
    expect(read).toMatchObject({ ok: false, error: expect.stringMatching(why) });
  });
  it("whatever a device writes, are read within bounds or refused, and never lose an interface", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(60), fc.nat(255), (noise, at, value) => {
        const read = readDescriptors(noise);
        if (read.ok) expect(read.value.interfaces.length).toBeLessThan(noise.length / 8);
        const bent = Uint8Array.from(stick);
        bent[at % bent.length] = value;
        const again = readDescriptors(bent);
        if (again.ok) expect(again.value.interfaces).toHaveLength(1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a device", () => {
  const raw: RawDevice = {
    port: "1-2",
    bus: 1,
    address: 7,
    vendor: "0951",
    product: "1666",
    serial: "60A4",
    name: "DataTraveler",
    maker: "Kingston",
    speed: "480",
    connectType: "hotplug",
    descriptors: stick,
  };
  it("is known by what dom0 read of it, hashed as USBGuard does", () => {
    const read = readDevice(sha256, raw, "parent");
    const hash = createHash("sha256").update("DataTraveler0951166660A4").update(stick).digest("base64");
    expect(read).toMatchObject({ ok: true, value: { id: "0951:1666", interfaceCount: 1, hash, parentHash: "parent" } });
    expect(read.ok && UsbDevice.parse(read.value)).toEqual(read.ok && read.value);
  });
  it("that says one id on the bus and another in its descriptors is not judged", () => {
    expect(readDevice(sha256, { ...raw, product: "1667" }, "")).toMatchObject({
      ok: false,
      error: expect.stringMatching(/1666.*1667/),
    });
  });
});
