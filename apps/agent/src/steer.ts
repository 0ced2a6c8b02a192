/** desired → in force → reported, on a change and on the timer. */
import { Policy } from "@sallyport/shared/policy/policy.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { LOOK_MS_MAX } from "./limits.ts";
import type { Link } from "./link/link.ts";
import type { Bell } from "./pace.ts";
import type { InForce } from "./policy/believe.ts";
import type { PolicyKeeper } from "./policy/policy.ts";
import { type Appliers, type Outcomes, reconcile } from "./reconcile/reconcile.ts";
import { isChange, signReport } from "./report/report.ts";

export type SteerParts = {
  policy: Pick<PolicyKeeper, "inForce" | "nextEndMs">;
  appliers: Appliers;
  /** What has to be on the trail by then. */
  told: (inForce: InForce | undefined, outcomes: Outcomes) => void;
  gather: (inForce: InForce | undefined, outcomes: Outcomes) => Reported;
  /** For who asks at this machine: sent or not. */
  keep: (report: Reported) => void;
  signer: Signer;
  link: Pick<Link, "isConnected" | "publish">;
  reportMs: () => number;
  monotonic: () => number;
  work: Bell;
};

export function steering(parts: SteerParts) {
  const { policy, appliers, told, gather, keep, signer, link, reportMs, monotonic, work } = parts;
  let isWanted = false;
  return {
    /** A console that was away is told again. */
    reportAgain(): void {
      isWanted = true;
      work.ring();
    },
    async run(signal: AbortSignal): Promise<void> {
      let last: Reported | undefined;
      let reportedAt = Number.NEGATIVE_INFINITY;
      while (!signal.aborted) {
        const wanted = policy.inForce;
        const outcomes = await reconcile(appliers, wanted?.policy ?? Policy.parse({}));
        told(wanted, outcomes);
        const next = gather(wanted, outcomes);
        keep(next);
        const isDue = monotonic() - reportedAt >= reportMs();
        if (link.isConnected && (isDue || isChange(last, next) || isWanted)) {
          isWanted = false;
          if ((await link.publish("reported", JSON.stringify(signReport(signer, next)), true)) === "sent") {
            last = next;
            reportedAt = monotonic();
          }
        }
        await work.wait(Math.min(reportMs(), LOOK_MS_MAX, policy.nextEndMs()), signal);
      }
    },
  };
}
