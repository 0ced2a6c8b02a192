/** Keeps the certificate young, and tells of an enrolment anew that was refused meanwhile. */
import type { Log } from "../dom0/log.ts";
import { RENEWAL_CHECK_MS } from "../limits.ts";
import { pause } from "../pace.ts";
import type { Emit } from "../sources/source.ts";
import { tellRefusal } from "./again.ts";
import { isDue, notAfter, renew } from "./enrol.ts";
import type { Enrolment, Tls } from "./folder.ts";

export type RenewingParts = {
  state: string;
  enrolment: Enrolment;
  tls: () => Tls;
  /** Those that the listener's certificate may stand under. */
  cas: () => string[];
  renewed: (tls: Tls) => void;
  emit: Emit;
  now: () => number;
  log: Log;
};

export async function renewing(parts: RenewingParts, signal: AbortSignal): Promise<void> {
  const { state, enrolment, tls, cas, renewed, emit, now, log } = parts;
  while (!signal.aborted) {
    await tellRefusal(state, (observation) => emit({ observations: [observation] })).catch((error: Error) =>
      log.error({ error: error.message }, "enrolment.refusal-untold"),
    );
    if (isDue(tls().certificate, now())) {
      try {
        const next = await renew(state, { ...enrolment, tls: tls() }, cas());
        log.info({ notAfter: notAfter(next.certificate) }, "certificate.renewed");
        renewed(next);
      } catch (error) {
        log.error({ error: (error as Error).message }, "certificate.not-renewed");
      }
    }
    await pause(RENEWAL_CHECK_MS, signal);
  }
}
