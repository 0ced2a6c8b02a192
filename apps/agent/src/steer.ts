/** desired → in force → reported, on a change and on the timer. A look at the sections starts a dozen programs, so what only
 *  has to be said anew is said without one. */
import { Policy } from "@sallyport/shared/policy/policy.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { LOOK_MS_MAX } from "./limits.ts";
import type { Link } from "./link/link.ts";
import { Bell } from "./pace.ts";
import type { InForce } from "./policy/believe.ts";
import type { PolicyKeeper } from "./policy/policy.ts";
import { type Appliers, Looks, type Outcomes } from "./reconcile/reconcile.ts";
import { isChange, signReport } from "./report/report.ts";

export type SteerParts = {
  policy: Pick<PolicyKeeper, "inForce" | "nextEndMs">;
  appliers: Appliers;
  /** What has to be on the trail by then; said again it is no news. */
  told: (inForce: InForce | undefined, outcomes: Outcomes) => void;
  gather: (inForce: InForce | undefined, outcomes: Outcomes) => Reported;
  /** For who asks at this machine: sent or not. */
  keep: (report: Reported) => void;
  signer: Signer;
  link: Pick<Link, "isConnected" | "publish">;
  reportMs: () => number;
  monotonic: () => number;
  work: Work;
  /** How long sections are waited for before the others are reported. */
  lateMs?: number;
};

/** Many ask, one works. What was asked for while nobody waited is not lost. */
export class Work extends Bell {
  #isDue = true;

  /** The sections are looked at, and made true: something they stand on may have changed. */
  override ring(): void {
    this.#isDue = true;
    super.ring();
  }

  /** What is known is gathered and reported again. */
  tell(): void {
    super.ring();
  }

  /** Whether a look was asked for since it was taken last. */
  takeDue(): boolean {
    const isDue = this.#isDue;
    this.#isDue = false;
    return isDue;
  }
}

export function steering(parts: SteerParts) {
  const { policy, appliers, told, gather, keep, signer, link, reportMs, monotonic, work } = parts;
  let isWanted = false;
  const looks = new Looks(appliers, () => work.tell(), parts.lateMs);
  return {
    /** A console that was away is told again. */
    reportAgain(): void {
      isWanted = true;
      work.tell();
    },
    async run(signal: AbortSignal): Promise<void> {
      let last: Reported | undefined;
      let reportedAt = Number.NEGATIVE_INFINITY;
      let looked: { at: InForce | undefined; untilMs: number } | undefined;
      while (!signal.aborted) {
        const wanted = policy.inForce;
        if (work.takeDue() || !looked || looked.at !== wanted || monotonic() >= looked.untilMs) {
          const untilMs = monotonic() + Math.min(reportMs(), LOOK_MS_MAX, policy.nextEndMs());
          await looks.look(wanted?.policy ?? Policy.parse({}));
          looked = { at: wanted, untilMs };
        }
        const { outcomes } = looks;
        told(wanted, outcomes);
        const next = gather(wanted, outcomes);
        keep(next);
        const gatheredAt = monotonic();
        const isDue = gatheredAt - reportedAt >= reportMs();
        // one that could not be sent is tried again with the next look
        let untilMs = looked.untilMs;
        if (link.isConnected && (isDue || isChange(last, next) || isWanted)) {
          isWanted = false;
          if ((await link.publish("reported", JSON.stringify(signReport(signer, next)), true)) === "sent") {
            last = next;
            reportedAt = gatheredAt;
          }
        }
        if (gatheredAt - reportedAt < reportMs()) untilMs = Math.min(untilMs, reportedAt + reportMs());
        await work.wait(Math.max(0, untilMs - monotonic()), signal);
      }
    },
  };
}
