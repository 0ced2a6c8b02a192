/** Certificates that should have been renewed by now → alerts. Pure. */
import type { Severity } from "@sallyport/shared/record/severity.ts";

const DAY_MS = 86_400_000;

/** `ca` is made by a person's plan; `server` is the broker's, the listener's and the worker's; `workstation` is renewed by
 *  its agent. */
export type Certificate = { name: string; notAfter: Date } & (
  | { of: "ca" | "server" }
  | { of: "workstation"; workstation: string }
);
export type Ending = {
  key: string;
  workstation: string | null;
  severity: Severity;
  title: string;
  reason: string;
};

/** Told so many days before the end, longest first, each once. Renewal is due 90 days before a server's end, and 30 before
 *  a workstation's, so whoever is told has missed it for weeks. A CA's successor takes a plan. */
export const TELL_DAYS: Readonly<Record<Certificate["of"], readonly number[]>> = {
  ca: [365, 60, 14, 0],
  server: [60, 14, 0],
  workstation: [14, 0],
};

const WHAT_TO_DO: Readonly<Record<Certificate["of"], string>> = {
  ca: "Nobody renews the CA: plan its successor, under which every workstation enrols again (docs/keys.md).",
  server:
    "It should have been renewed by now: by `npm run up`, each day, or by sallyport-prepare.timer, each night. Look whether that runs, and whether what serves the certificate was restarted since (docs/operations.md, Certificates that run out).",
  workstation:
    "Its agent renews it by itself at the listener while it runs, and after its end too. Look whether the workstation is on and reaches SALLYPORT_LISTEN_URL; its journal says why a renewal failed.",
};

/** The last step that was reached, of each certificate that reached one. */
export function endings(certificates: readonly Certificate[], now: Date): Ending[] {
  return certificates.flatMap((certificate) => {
    const { of, name, notAfter } = certificate;
    const days = TELL_DAYS[of].findLast((each) => notAfter.getTime() - now.getTime() <= each * DAY_MS);
    if (days === undefined) return [];
    const day = notAfter.toISOString().slice(0, 10);
    return {
      key: `certificate/${of === "workstation" ? certificate.workstation : name}/${notAfter.toISOString()}/${days}`,
      workstation: of === "workstation" ? certificate.workstation : null,
      severity: days === 0 ? "critical" : days === 14 ? "error" : "warning",
      title: days === 0 ? `The certificate of ${name} ended on ${day}` : `The certificate of ${name} ends on ${day}`,
      reason: WHAT_TO_DO[of],
    };
  });
}
