import { expect, test } from "vitest";
import { cutOffWords } from "./cut-off.ts";
import { Policy } from "./policy.ts";

const WEB = { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] } as const;
const WALL = { name: "wall", verdict: "block" } as const;
const network = (section: object) => Policy.parse({ network: section });
const usb = (section: object) => Policy.parse({ usb: section });
const open = network({ rules: [WEB] });
const NETWORK = /^It cuts every workstation’s guests off the network/;
const USB = /^It cuts every workstation off from USB/;

test.each<[string, Policy, Policy, RegExp | undefined]>([
  ["the last rule that lets something out goes", open, network({ rules: [] }), NETWORK],
  ["a wall stands before all of them", open, network({ rules: [WALL, WEB] }), NETWORK],
  [
    "two walls, one a family, are one",
    open,
    network({ otherwise: "allow", rules: [{ ...WALL, to: "0.0.0.0/0" }, { ...WALL, addresses: ["::/0"] }, WEB] }),
    NETWORK,
  ],
  ["a wall of one family leaves the other", open, network({ rules: [{ ...WALL, to: "0.0.0.0/0" }, WEB] }), undefined],
  ["what no rule names is blocked now", network({ otherwise: "allow" }), network({}), NETWORK],
  ["audit becomes enforce with no rule", network({ mode: "audit" }), network({}), NETWORK],
  ["only what comes in is let through", open, network({ rules: [{ ...WEB, direction: "in" }] }), NETWORK],
  [
    "a wall at some hours is none",
    open,
    network({ rules: [{ ...WALL, during: [{ from: "18:00" }] }, WEB] }),
    undefined,
  ],
  ["a wall behind the rule leaves the rule", open, network({ rules: [WEB, WALL] }), undefined],
  ["it only records", open, network({ mode: "audit", rules: [] }), undefined],
  ["nothing was let out before either", network({}), network({ rules: [WALL] }), undefined],
  ["no rule allows a device any more", usb({}), usb({ deviceRules: ["block id 1234:*"] }), USB],
  ["there is no device rule at all", usb({}), usb({ deviceRules: [] }), USB],
  ["one rule still allows", usb({}), usb({ deviceRules: ["allow id 1234:*", "block"] }), undefined],
  ["one that stops all stands before it", usb({}), usb({ deviceRules: ["block", "allow id 1234:*"] }), USB],
  ["a direct rule still hands devices over", usb({}), usb({ deviceRules: [], directRules: ["allow"] }), undefined],
])("%s", (_what, before, after, words) => {
  expect(cutOffWords(before, after)).toEqual(words ? [expect.stringMatching(words)] : []);
});
