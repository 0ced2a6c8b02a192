import { expect, it } from "vitest";
import { contested } from "./network-contested.ts";

const work = { name: "vif-work", guest: "work", mac: "00:16:3E:00:00:01", addresses: ["10.1.0.2", "fd00::2"] };
const play = { name: "vif-play", guest: "play", mac: "00:16:3e:00:00:02", addresses: ["10.1.0.3"] };
const router = { name: "vif-net", guest: "net", addresses: [] };

it("guests that have what is theirs alone are not told of", () => {
  expect(contested([work, play, router])).toBeUndefined();
  expect(contested([work, { ...work, name: "vif-work2" }])).toBeUndefined();
});

it.each([
  ["an address", { addresses: ["10.1.0.2"] }, "work and play both have 10.1.0.2."],
  ["an address otherwise written", { addresses: ["FD00:0:0::0002"] }, "work and play both have fd00:0:0:0:0:0:0:2."],
  ["a prefix around it", { addresses: ["10.1.0.0/30"] }, "play and work both have 10.1.0.2."],
  ["a card", { mac: "00:16:3e:00:00:01" }, "work and play both have the card 00:16:3e:00:00:01."],
  [
    "a device",
    { name: "vif-work" },
    "work and play both have the device vif-work; work and play both have the device vif-work-emu.",
  ],
  ["the name of an emulated card", { name: "vif-work-emu" }, "work and play both have the device vif-work-emu."],
])("two guests with %s are named", (_what, other, words) =>
  expect(contested([work, { ...play, ...other }])).toBe(
    `Guests can pose as one another: ${words} Give each to one of them under firewall.vifs.`,
  ),
);

it("of many the first are named, a pair of guests once", () => {
  const many = Array.from({ length: 256 }, (_, at) => ({
    name: `vif${at}`,
    guest: `g${at}`,
    addresses: Array.from({ length: 64 }, (_, of) => `10.${at}.${of}.0/24`),
  }));
  expect(contested(many)).toBeUndefined();
  const words = contested([...many, { name: "vif-all", guest: "all", addresses: ["10.0.0.0/8", "10.0.0.0/9"] }]);
  expect(words).toMatch(/: g0 and all both have 10\.0\.0\.0-10\.0\.0\.255; .*; and 252 more\./);
});
