import { expect, it } from "vitest";
import { reachOf, reachWords, type Standing } from "./reach.ts";

const some = (count: number, more: Partial<Standing> = {}): Standing => ({
  ...{ online: true, isAware: true, order: 7, usb: "applied", network: "applied", count, ...more },
});

it("counts those that have it by what they found in force, of those connected", () => {
  const standings = [
    some(1204),
    some(2, { usb: "not-applied" }),
    some(3, { order: 6 }),
    some(1, { order: null, isAware: false, usb: null, network: null }),
    some(38, { online: false, order: null }),
  ];
  const reach = reachOf(standings, 7, "file");
  expect(reach).toEqual({
    ...{ workstations: 1248, connected: 1210, have: 1204, cannot: 2, unaware: 1, offline: 38, offlineHave: 0 },
  });
  expect(reachWords(reach)).toBe(
    "1,204 of 1,210 connected have it; 2 cannot make it true; 1 has too old an agent; 38 offline get it when they return",
  );
  // an address is the firewall's to block
  expect(reachOf(standings, 7, "address").have).toBe(1206);
});

it("speaks of one as of one", () => {
  expect(reachWords(reachOf([some(1), some(1, { online: false, order: null })], 7, "file"))).toBe(
    "1 of 1 connected has it; 1 offline gets it when it returns",
  );
  expect(reachWords(reachOf([some(4, { online: false })], 7, "file"))).toBe(
    "0 of 0 connected have it; 4 offline have it",
  );
});
