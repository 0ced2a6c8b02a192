import { expect, it } from "vitest";
import { offersOf } from "./offers.ts";

const HASH = "ab".repeat(32);
const file = (sha256: string | null, finding: string) => ({
  ...{ path: "b.exe", size: 1, md5: null, sha256, type: "application/x-dosexec", finding },
});
const device = {
  ...{ port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: 'A"1', name: "DataTraveler", maker: "m" },
  ...{ interfaces: ["08:06:50"], interfaceCount: 1, speed: "480", connectType: "hotplug" },
  ...{ descriptors: "a".repeat(64), hash: "h=", parentHash: "p" },
};
const ends = {
  source: "10.1.0.2",
  sourcePort: 40_000,
  destination: "203.0.113.7",
  destinationPort: 443,
  protocol: "TCP",
};
const what = (kind: string, body: unknown) => offersOf(kind, body).map((offer) => offer.what);

it.each<[string, string, unknown, string[]]>([
  [
    "a scan's files that are not clean, and its image",
    "usb.scan",
    {
      ...{
        manifest: [file(HASH, "infected"), file("c".repeat(64), "clean"), file(null, "unscannable")],
        scanner: null,
      },
      ...{ verdict: "block", reason: "r", image: { sha256: "d".repeat(64), size: 1 } },
    },
    [HASH, "d".repeat(64)],
  ],
  [
    "a device by its serial, and all of its kind",
    "usb.device",
    { stick: "s", device },
    ['block id 0951:1666 serial "A\\"1"', "block id 0951:1666"],
  ],
  [
    "a device without a serial by its hash",
    "usb.device",
    { stick: "s", device: { ...device, serial: "" } },
    ['block hash "h="', "block id 0951:1666"],
  ],
  [
    "a drop's far side, out",
    "net.drop",
    { ...ends, in: "vif1.0", out: "up0", event: {} },
    ["203.0.113.7", "203.0.113.7:443"],
  ],
  [
    "a drop's far side, in",
    "net.drop",
    { ...ends, source: "203.0.113.9", destination: "10.1.0.2", in: "up0", out: "vif1.0", event: {} },
    ["203.0.113.9"],
  ],
  [
    "an alert's far side, which is outside",
    "ids.alert",
    {
      ...ends,
      source: "2001:db8::1",
      destination: "fd00::2",
      eventTime: "",
      signature: "s",
      signatureId: 1,
      event: {},
    },
    ["2001:db8::1"],
  ],
  [
    "an event's name before its address",
    "ids.event",
    { ...ends, eventTime: "", type: "tls", event: { tls: { sni: "bad.example" } } },
    ["bad.example", "203.0.113.7", "203.0.113.7:443"],
  ],
  [
    "nothing of a name that is none",
    "ids.event",
    { eventTime: "", type: "dns", event: { dns: { rrname: "a b" } } },
    [],
  ],
  ["nothing of a record of another kind", "guest.log", { message: HASH }, []],
  ["nothing of what cannot be read", "usb.scan", { manifest: "x" }, []],
])("offers %s", (_, kind, body, wanted) => expect(what(kind, body)).toEqual(wanted));

it("offers an infected file before what nothing could be said of, however many come before it", () => {
  const unscannable = Array.from({ length: 9 }, (_, at) => file(String(at).repeat(64), "unscannable"));
  const manifest = [...unscannable, file(HASH, "infected")];
  expect(what("usb.scan", { manifest, scanner: null, verdict: "block", reason: "r" })[0]).toBe(HASH);
});
