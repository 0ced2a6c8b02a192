import { describe, expect, it } from "vitest";
import { addressOf, aroundAddress, keyOf } from "./story-address.ts";

const at = { trail: 7, index: 42, received: "2026-11-24T10:00:00.000Z" };
const query = (address: string) => Object.fromEntries(new URL(address, "http://console").searchParams);

describe("a record's address", () => {
  it("opens it among the records of its workstation", () => {
    const row = { ...at, workstation: { id: "w1", name: "desk" } } as Parameters<typeof addressOf>[0];
    expect(query(addressOf(row))).toEqual({ workstation: "w1", open: keyOf(at) });
  });

  it("names no workstation where it is the console's own", () => {
    const row = { ...at, workstation: null } as Parameters<typeof addressOf>[0];
    expect(query(addressOf(row))).toEqual({ open: "7.42" });
  });
});

describe("what was received around a record", () => {
  it("is asked for from as long before it as after it, and keeps it open", () => {
    expect(query(aroundAddress(at, 10, "w1"))).toEqual({
      ...{ workstation: "w1", open: "7.42" },
      ...{ since: "2026-11-24T09:50:00.000Z", until: "2026-11-24T10:10:00.000Z" },
    });
  });

  it("is the whole fleet's where no workstation is named", () => {
    expect(query(aroundAddress(at, 1))).not.toHaveProperty("workstation");
  });
});
