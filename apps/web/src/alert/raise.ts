/** Which records a person should triage. Pure; ingest writes what it answers. `key` makes an alert once: the same key
 *  again counts it up. */
import type {
  AgentGap,
  AgentMalformed,
  PolicyDrift,
  PolicyRefused,
  TrailOpened,
} from "@sallyport/shared/record/agent.ts";
import type { GuestSuppressed } from "@sallyport/shared/record/guest.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type { IdsAlert } from "@sallyport/shared/record/ids.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import type { UsbGateBody, UsbScannerBody } from "@sallyport/shared/record/usb.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";

export type Raised = { key: string; kind: string; severity: Severity; title: string; reason: string };
export type RaisedFrom = {
  workstation: string;
  trail: number;
  index: number;
  timeMs: number;
  kind: string;
  severity: number;
  guest: string | undefined;
  text: string;
  body: unknown;
};

const WARNING = SEVERITIES.indexOf("warning");
const ERROR = SEVERITIES.indexOf("error");
const TITLE_CHARS_MAX = 300;

/** `body` has its kind's shape, or is undefined where it could not be read. */
export function raise(record: RaisedFrom): Raised | undefined {
  if (record.kind === "agent.malformed") return malformed(record);
  if (record.body === undefined) return undefined;
  const once = `${record.trail}/${record.index}`;
  const daily = `${record.workstation}/${new Date(record.timeMs).toISOString().slice(0, 10)}`;
  const severity = SEVERITIES[record.severity] ?? "warning";
  const title = record.text.slice(0, TITLE_CHARS_MAX);
  const make = (key: string, worst: Severity, reason: string): Raised => ({
    key,
    kind: record.kind,
    severity: worst,
    title,
    reason,
  });
  switch (record.kind) {
    case "ids.alert": {
      if (record.severity < WARNING) return undefined;
      const { signatureId, category } = record.body as IdsAlert;
      return make(`ids/${daily}/${signatureId}`, severity, category ?? "the intrusion detector raised it");
    }
    case "usb.scan": {
      const { verdict, reason, parts } = record.body as ScanBody;
      if (verdict === "allow" || (parts && parts.index > 0)) return undefined;
      return make(`scan/${once}`, verdict === "block" ? "error" : "warning", reason);
    }
    case "usb.verdict": {
      const { verdict, reason } = record.body as { verdict?: unknown; reason?: unknown };
      if (verdict !== "block" && verdict !== "hold") return undefined;
      const words = typeof reason === "string" ? reason : `the gate's verdict is ${verdict}`;
      return make(`verdict/${once}`, verdict === "block" ? "error" : "warning", words);
    }
    case "usb.scanner": {
      const { state, reason } = record.body as UsbScannerBody;
      if (state === "current") return undefined;
      return make(`scanner/${daily}/${state}`, state === "absent" ? "error" : "warning", reason);
    }
    case "usb.gate": {
      const { state, reason } = record.body as UsbGateBody;
      return state === "gated" ? undefined : make(`gate/${daily}`, "error", reason);
    }
    case "agent.gap": {
      const { from, to, contents, reason } = record.body as AgentGap;
      const words =
        from === to
          ? `${contents} observations before record ${from} were lost: ${reason}`
          : `contents of ${contents} records from ${from} to ${to} were given up: ${reason}`;
      return make(`gap/${daily}`, "error", words);
    }
    case "guest.suppressed": {
      const { lines, reason } = record.body as GuestSuppressed;
      return make(`suppressed/${daily}/${record.guest ?? ""}`, "notice", `${lines} lines were held back: ${reason}`);
    }
    case "policy.drift": {
      const { section, action, found } = record.body as PolicyDrift;
      const did = action === "left" ? "audit mode leaves it so" : "it was put back";
      return make(`drift/${daily}/${section}/${action}`, severity, `${found.join("; ")}: ${did}`);
    }
    case "policy.refused": {
      const { code, reason } = record.body as PolicyRefused;
      return make(`refused/${daily}/${code}`, "error", reason);
    }
    case "trail.opened": {
      const { previous } = record.body as TrailOpened;
      if (!previous || previous.reason === "re-enrolled") return undefined;
      return make(
        `opened/${once}`,
        "warning",
        `a new trail goes on from ${previous.trail} at ${previous.size}: ${previous.reason}`,
      );
    }
    case "hypervisor.layout": {
      const { audit } = record.body as HypervisorLayout;
      if (!audit || audit.wrong === 0) return undefined;
      return make(`audit/${daily}`, "critical", `${audit.wrong} of ${audit.pages} pages are not where the layout says`);
    }
    default:
      return undefined;
  }
}

/** Bytes of a source that nobody could read are a warning, and only kept. What is worse the agent says of what comes down
 *  to it: a receipt that is forged or goes back, and that it stopped sending. That is told also where its body cannot be
 *  read. */
function malformed({ workstation, timeMs, severity, text, body }: RaisedFrom): Raised | undefined {
  if (severity < ERROR) return undefined;
  const day = new Date(timeMs).toISOString().slice(0, 10);
  const { source = "", reason = "the record of it cannot be read" } = (body ?? {}) as Partial<AgentMalformed>;
  return {
    key: `malformed/${workstation}/${day}/${SEVERITIES[severity]}/${source}`,
    kind: "agent.malformed",
    severity: SEVERITIES[severity] ?? "error",
    title: text.slice(0, TITLE_CHARS_MAX),
    reason,
  };
}

/** Kinds whose body ingest looks into; the others are only kept. */
export const LOOKED_INTO: ReadonlySet<string> = new Set([
  "ids.alert",
  "usb.scan",
  "usb.verdict",
  "usb.scanner",
  "usb.gate",
  "agent.gap",
  "guest.suppressed",
  "policy.drift",
  "policy.refused",
  "trail.opened",
  "hypervisor.layout",
  "agent.malformed",
]);
