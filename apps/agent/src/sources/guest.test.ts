/** Whose a line or an event is, by the way it came. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { expect, it } from "vitest";
import { guestMap, whoseAddress } from "./guest.ts";

const [work, play] = ["work", "play"] as GuestId[];
const UNKNOWN = /^(?:unknown|guest)-[0-9a-f]{12}$/;

it.each(["2001:0DB8:0:0::2", "2001:db8::2", "::FFFF:0a00:0001", "10.0.0.1"])(
  "is the guest's whose address it is, written as %s",
  (address) => {
    const guests = guestMap([{ id: work!, addresses: [address] }]);
    const said = address.startsWith("2001") ? ["2001:db8::2"] : ["10.0.0.1", "::ffff:10.0.0.1"];
    for (const each of said) expect(guests.byAddress(each)).toBe(work);
    expect(guests.byAddress("2001:db8::3")).toMatch(UNKNOWN);
  },
);

it("is nobody's where two guests are given the same, and each one's where a guest is given it twice", () => {
  const both = { addresses: ["10.0.0.1"], console: "win", sockets: ["/run/win.sock"] };
  const own = { addresses: ["10.0.0.2", "10.0.0.2"], console: "own", sockets: ["/run/own.sock"] };
  const known = [
    { id: work!, ...both },
    { id: play!, ...both },
    { id: play!, ...own },
    { id: play!, ...own },
  ];
  const guests = guestMap(known);
  expect([guests.byAddress("10.0.0.1"), guests.byConsole("win"), guests.bySocket("/run/win.sock")]).toEqual(
    Array(3).fill(expect.stringMatching(UNKNOWN)),
  );
  expect([guests.byAddress("10.0.0.2"), guests.byConsole("own"), guests.bySocket("/run/own.sock")]).toEqual(
    Array(3).fill(play),
  );
  const whose = whoseAddress(known, [{ name: "vif-work", guest: work!, addresses: ["10.0.0.0/24"] }]);
  expect(whose("10.0.0.1")).toBeUndefined();
  expect(whose("10.0.0.2"), "the narrower").toBe(play);
  expect(whose("10.0.0.3")).toBe(work);
});
