import { expect, it } from "vitest";
import { type GatherParts, gather } from "./gather.ts";

const ORDERS = "what holds already is not all on disk yet, and the machine's end would lose it: ";
const NOTHING = { spool: undefined, policy: undefined, commands: undefined, desired: undefined, overlay: undefined };

function sources(refused: Partial<ReturnType<GatherParts["refused"]>>) {
  const parts = {
    self: {},
    spool: { root: new Uint8Array(), standing: () => ({}) },
    policy: { overlays: () => [] },
    uplink: () => ({ state: "steady" }),
    sources: () => ({}),
    refused: () => ({ ...NOTHING, ...refused }),
    layout: () => undefined,
    certificateNotAfter: () => "",
    now: () => 0,
  };
  return gather(parts as unknown as GatherParts, undefined, {} as never).sources;
}

it.each([
  [{ policy: "ENOSPC" }, "what is believed of the policy (ENOSPC)"],
  [{ commands: "EIO" }, "the journal of commands (EIO)"],
  [{ policy: "ENOSPC", commands: "EIO" }, "what is believed of the policy (ENOSPC), the journal of commands (EIO)"],
])("of what is not on disk yet it is said which: %j", (refused, words) => {
  expect(sources(refused)).toEqual({ orders: { state: "failed", reason: ORDERS + words } });
});

it("what the console wants and the disk turned away is said beside it", () => {
  const waits = "what the console wants is not all taken before the disk has room (ENOSPC)";
  expect(sources({ desired: "ENOSPC" }).orders?.reason).toBe(waits);
  expect(sources({ commands: "EIO", desired: "ENOSPC" }).orders?.reason).toBe(
    `${ORDERS}the journal of commands (EIO); ${waits}`,
  );
});

it("where all is on disk, nothing is said", () => expect(sources({})).toEqual({}));
