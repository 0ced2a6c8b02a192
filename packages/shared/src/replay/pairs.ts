/** One input → what the policy in force and the candidate answer, by the functions the agent decides by. Pure. */
import { unreachable } from "../base/unreachable.ts";
import type { Policy } from "../policy/policy.ts";
import type { Answer, Outcome } from "./flip.ts";
import { type Input, MINUTE_MS, type Seen } from "./input.ts";
import { type JudgePacket, momentsWithin, networkJudge } from "./network.ts";
import { judgeDeviceInput, judgeScanInput } from "./usb.ts";

export type ReplayParts = {
  before: Policy;
  after: Policy;
  /** Hashes of files in the records from `first` to `last` that either policy denies. */
  denied?: (trail: number, first: number, last: number) => readonly string[];
};
export type Pair = { before: Answer; after: Answer };

/** What is decided one by one: devices, scans and packets. Alerts and lines hang together, and are asked elsewhere. */
export type Decided = Extract<Input, { kind: "device" | "scan" | "net" }>;
/** Answers that hold whenever it was seen, or an answer for each moment that may make a difference. */
export type Asked = { always: Pair } | { atMoments: Pair[] };

/** @returns what asks both policies for an input, in the row where it was seen */
export function pairsOf({ before, after, denied }: ReplayParts): (row: Seen, input: Decided) => Asked {
  const packets: Record<"before" | "after", JudgePacket> = {
    before: networkJudge(before.network),
    after: networkJudge(after.network),
  };
  const isTimed = [before, after].some(({ network }) => network.rules.some(({ during }) => during !== undefined));
  return ({ trail, bucket, firstIndex, lastIndex, firstMs, lastMs }, input) => {
    const startMs = bucket * MINUTE_MS;
    switch (input.kind) {
      case "device":
        return { always: { before: judgeDeviceInput(input, before.usb), after: judgeDeviceInput(input, after.usb) } };
      case "scan": {
        const hashes = denied?.(trail, firstIndex, lastIndex) ?? [];
        const at = new Date(startMs + firstMs);
        const judged = (policy: Policy) => judgeScanInput(input, policy.usb, hashes, at);
        return { atMoments: [{ before: judged(before), after: judged(after) }] };
      }
      case "net": {
        const packet = (atMs: number): Pair => ({
          before: packets.before(input, atMs),
          after: packets.after(input, atMs),
        });
        const moments = [before, after].flatMap(({ network }) =>
          momentsWithin(network, startMs + firstMs, startMs + lastMs),
        );
        const pairs = [...new Set(moments)].map(packet);
        return isTimed ? { atMoments: pairs } : { always: pairs[0]! };
      }
      default:
        return unreachable(input);
    }
  };
}

/** Whether it was decided then otherwise than `outcome`: another policy was in force, or a person made an exception. */
export function wasOtherwise(input: Decided, outcome: Outcome): boolean {
  switch (input.kind) {
    case "device":
      return input.blocked !== (outcome === "block");
    case "scan":
      return (input.verdict === "allow" ? "pass" : input.verdict) !== outcome;
    case "net":
      return (input.seen === "dropped") !== (outcome === "block");
    default:
      return unreachable(input);
  }
}
