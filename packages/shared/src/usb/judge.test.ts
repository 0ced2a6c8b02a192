import { describe, expect, it } from "vitest";
import { UsbSection } from "../policy/usb.ts";
import { judgeDevice } from "./judge.ts";
import type { DeviceFacts } from "./rules/match.ts";

const stick: DeviceFacts = {
  id: "0781:5567",
  serial: "4C53",
  name: "Cruzer",
  hash: "h",
  parentHash: "p",
  viaPort: "1-2",
  interfaces: ["08:06:50"],
  connectType: "hotplug",
};
const withInterfaces = (...interfaces: string[]): DeviceFacts => ({ ...stick, interfaces });

describe("judgeDevice", () => {
  const rows: [string, DeviceFacts, object, string, RegExp][] = [
    ["reads a stick, without any rules of the site's own", stick, {}, "read", /one storage interface/],
    ["reads a UAS disk", withInterfaces("08:06:62"), {}, "read", /storage/],
    [
      "reads a UAS stick: one interface with two alternate settings",
      { ...withInterfaces("08:06:50", "08:06:62"), interfaceCount: 1 },
      {},
      "read",
      /storage/,
    ],
    [
      "blocks two storage interfaces, of either kind",
      { ...withInterfaces("08:06:50", "08:06:62"), interfaceCount: 2 },
      {},
      "block",
      /a stick has one interface/,
    ],
    [
      "blocks one whose alternate setting is a keyboard",
      { ...withInterfaces("08:06:50", "03:01:01"), interfaceCount: 1 },
      { deviceRules: ["allow"] },
      "block",
      /no storage/,
    ],
    [
      "lets a hub carry others where a rule allows it, and not otherwise",
      withInterfaces("09:00:00"),
      { deviceRules: ["allow with-interface equals { 09:00:00 }"] },
      "dom0",
      /hub/,
    ],
    ["blocks a hub that no rule allows", withInterfaces("09:00:00"), {}, "block", /no device rule/],
    ["blocks a stick that is also a keyboard", withInterfaces("08:06:50", "03:01:01"), {}, "block", /no device rule/],
    [
      "even where a careless rule allows everything",
      withInterfaces("08:06:50", "03:01:01"),
      { deviceRules: ["allow"] },
      "block",
      /has 08:06:50, 03:01:01/,
    ],
    [
      "blocks a keyboard that a rule allows: it cannot be read",
      withInterfaces("03:01:01"),
      { deviceRules: ["allow"] },
      "block",
      /no storage/,
    ],
    [
      "blocks storage of another subclass",
      withInterfaces("08:04:00"),
      { deviceRules: ["allow"] },
      "block",
      /no storage/,
    ],
    ["blocks a device without interfaces", withInterfaces(), { deviceRules: ["allow"] }, "block", /has none/],
    [
      "the site's rules come first to last",
      stick,
      { deviceRules: ['reject serial "4C53"', "allow"] },
      "block",
      /says reject/,
    ],
    ["no rule, no device", stick, { deviceRules: [] }, "block", /no device rule/],
    [
      "a direct rule hands it over, and says that nothing was verified",
      stick,
      { directRules: ["allow id 0781:5567"] },
      "direct",
      /not verified/,
    ],
    [
      "a direct rule that blocks hands nothing over, and the device rules decide",
      stick,
      { directRules: ["block"] },
      "read",
      /storage/,
    ],
    [
      "a condition that cannot be known hands nothing over",
      stick,
      { directRules: ["allow if localtime(00:00-23:59:59)"] },
      "read",
      /storage/,
    ],
  ];
  for (const [name, device, policy, course, reason] of rows) {
    it(name, () => {
      const judgement = judgeDevice(device, UsbSection.parse(policy));
      expect(judgement.outcome).toBe(course);
      expect(judgement.reason).toMatch(reason);
    });
  }
});
