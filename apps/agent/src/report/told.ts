/** What came into force → records, each said once, also over restarts: a mark of what was said stays with the spool. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { InForce } from "../policy/believe.ts";
import type { OverlayInForce } from "../policy/overlays.ts";
import type { Outcomes } from "../reconcile/reconcile.ts";
import { overlayRecords, ToldOverlays } from "./overlay-records.ts";

export type ToldParts = {
  tell: (observation: Observation) => void;
  remembered: (key: string) => unknown;
  /** Whether the disk has it. */
  remember: (key: string, value: Json) => boolean;
  hash: Hash;
  now: () => number;
};

/** One record for each policy and outcome of its sections. */
export function toldPolicies({ tell, remembered, remember, hash, now }: ToldParts) {
  let applied = remembered("applied");
  return ({ digest, order }: Pick<InForce, "digest" | "order">, found: Outcomes): void => {
    const said = Object.fromEntries(
      Object.entries(found).map(([name, { outcome, reason }]) => [
        name,
        { outcome: outcome === "audit" ? ("applied" as const) : outcome, ...(reason ? { reason } : {}) },
      ]),
    );
    const mark = toHex(hash(Buffer.from(JSON.stringify({ digest, order, said }))));
    if (applied === mark) return;
    applied = mark;
    const isWrong = Object.values(said).some(({ outcome }) => outcome === "failed");
    const inForce = Object.entries(said).flatMap(([name, { outcome }]) => (outcome === "applied" ? [name] : []));
    tell({
      kind: "policy.applied",
      severity: isWrong ? "error" : "notice",
      time: now(),
      text: `Policy ${digest.slice(0, 12)} (order ${order}) is in force: ${inForce.join(", ") || "no section"} applied`,
      body: { digest: digest as never, order, outcomes: said },
    });
    remember("applied", mark);
  };
}

/** What an overlay came to hold, and what has ended of it. */
export function toldOverlays({ tell, remembered, remember, now }: Omit<ToldParts, "hash">) {
  const before = ToldOverlays.safeParse(remembered("overlays"));
  let told = before.success ? before.data : {};
  let isRemembered = true;
  return (overlays: readonly OverlayInForce[]): void => {
    const next = overlayRecords(told, overlays, now());
    if (next.records.length === 0 && isRemembered) return;
    for (const each of next.records) tell(each);
    told = next.told;
    isRemembered = remember("overlays", told);
  };
}
