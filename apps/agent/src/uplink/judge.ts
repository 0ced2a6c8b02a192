/** What a receipt means for our trail. Pure: the decision on everything the console may answer. */
import { equal, fromHex } from "@sallyport/shared/base/bytes.ts";
import type { TrailId } from "@sallyport/shared/base/ids.ts";
import type { Receipt } from "@sallyport/shared/trail/receipt.ts";
import type { Previous } from "../spool/opening.ts";

/** `base` is the first index still held; `rootAt` knows the root of each size from `base` to `size`. `last` is the
 *  newest receipt that was taken, of whichever trail. */
export type Stand = {
  trail: TrailId;
  size: number;
  /** The trail's size when this process opened it: what lies beyond was made in this life. */
  sizeAtStart: number;
  base: number;
  last: Receipt | undefined;
  /** A receipt was in doubt a while ago, the console was asked since, and none that fits came. */
  doubted: boolean;
  knowsTrail: (trail: TrailId) => boolean;
  rootAt: (size: number) => Uint8Array;
};

/** `take`: it fits; send on from its size. `again`: the same, but what is in flight must go again. `ignore`: late, or
 *  of a trail that is closed. `doubt`: less than was committed. Of two workers' receipts either may come first and their
 *  clocks say nothing, so the console is asked once more before there is an alarm. `reopen`: our trail cannot go on; a new one names it and keeps what lies at or beyond
 *  `keepFrom`. `alarm`: nothing is sent until a receipt makes sense again. */
export type Judgement =
  | { do: "take"; again: boolean }
  | { do: "ignore"; why: string }
  | { do: "doubt"; why: string }
  | {
      do: "reopen";
      reason: Previous["reason"];
      previous: { trail: TrailId; size: number; root: string };
      keepFrom: number;
    }
  | { do: "alarm"; why: string };

export function judge(stand: Stand, receipt: Receipt): Judgement {
  const { last } = stand;
  if (last && receipt.epoch < last.epoch) return { do: "ignore", why: `of epoch ${receipt.epoch}, before a restore` };
  if (receipt.trail !== stand.trail) {
    if (stand.knowsTrail(receipt.trail)) return { do: "ignore", why: "of a trail that is closed here" };
    return reopen(stand, receipt, "older-disk");
  }
  const known = last?.trail === stand.trail ? last : undefined;
  const committed = Math.max(known?.size ?? 0, stand.base);
  if (receipt.size > stand.size) return reopen(stand, receipt, "older-disk");
  if (receipt.size < committed && receipt.epoch === (last?.epoch ?? receipt.epoch)) {
    return {
      do: stand.doubted ? "alarm" : "doubt",
      why: `the console said that ${committed} records are committed and now says ${receipt.size}, with no restore between`,
    };
  }
  if (receipt.size < stand.base) {
    // restored to before what is still held here: the old trail cannot be filled up again
    const root = Buffer.from(stand.rootAt(stand.base)).toString("hex");
    return {
      do: "reopen",
      reason: "console-restored",
      previous: { trail: stand.trail, size: stand.base, root },
      keepFrom: stand.base,
    };
  }
  if (!equal(stand.rootAt(receipt.size), fromHex(receipt.root))) {
    // the console has what this disk did not hold when it was opened: the disk went back, then records were made
    return reopen(
      stand,
      receipt,
      receipt.size > stand.sizeAtStart && committed <= stand.sizeAtStart ? "older-disk" : "fork",
    );
  }
  switch (receipt.answer) {
    case "fork":
      return reopen(stand, receipt, "fork");
    case "refused":
      return { do: "alarm", why: `the console refuses what is sent: ${receipt.reason ?? "no reason given"}` };
    case "ahead":
      return { do: "take", again: true };
    default:
      return { do: "take", again: receipt.epoch > (last?.epoch ?? receipt.epoch) };
  }
}

/** Unsent is what our own newest receipt does not cover: where two copies of one disk ran, some of it may be on the
 *  console already under the old trail, with the same salt and content; nothing is left out for that. */
function reopen(stand: Stand, receipt: Receipt, reason: Previous["reason"]): Judgement {
  const { trail, size, root } = receipt;
  const known = stand.last?.trail === stand.trail ? stand.last.size : 0;
  return {
    do: "reopen",
    reason,
    previous: { trail, size, root },
    keepFrom: Math.max(stand.base, Math.min(known, stand.size)),
  };
}
