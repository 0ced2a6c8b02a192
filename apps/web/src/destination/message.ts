/** An alert as it leaves the console. Receivers hold this: it only grows. What a guest or a stick said is bounded and
 *  escaped here, once for every kind of destination. Pure. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";

export const TITLE_CHARS_MAX = 300;
export const REASON_CHARS_MAX = 1_000;
const NAME_CHARS_MAX = 128;

/** As the rows are. */
export type AlertSent = {
  id: string;
  key: string;
  kind: string;
  severity: number;
  title: string;
  reason: string;
  raisedAt: Date;
  lastAt: Date;
  count: number;
  workstation: { id: string; name: string } | null;
  record: { trail: number; index: string } | null;
};

/** `id` stays the same however often it is sent: whoever gets it twice may drop the second. */
export type Message = {
  id: string;
  type: "alert.raised" | "test";
  time: Date;
  alert: {
    id: string;
    kind: string;
    /** What raised it: for the intrusion detector with the signature's number. */
    rule: string;
    severity: Severity;
    title: string;
    reason: string;
    count: number;
    workstation: { id: string; name: string } | null;
    record: { trail: number; index: string } | null;
    /** The alert's page; null where the console does not know its own address (SALLYPORT_URL). */
    link: string | null;
  };
};

/** Escaped, on one line, cut between characters. */
export function plain(untrusted: string, charsMax: number): string {
  const text = escapeForDisplay(untrusted.slice(0, charsMax * 2));
  const chars = [...text];
  return chars.length <= charsMax ? text : `${chars.slice(0, charsMax - 1).join("")}…`;
}

export function messageOf(message: string, alert: AlertSent, consoleUrl: string | undefined): Message {
  return {
    id: message,
    type: "alert.raised",
    time: alert.lastAt,
    alert: {
      id: alert.id,
      kind: alert.kind,
      rule: alert.kind === "ids.alert" ? `${alert.kind}/${plain(alert.key.split("/").at(-1) ?? "", 20)}` : alert.kind,
      severity: SEVERITIES[alert.severity] ?? "warning",
      title: plain(alert.title, TITLE_CHARS_MAX),
      reason: plain(alert.reason, REASON_CHARS_MAX),
      count: alert.count,
      workstation: alert.workstation && {
        id: alert.workstation.id,
        name: plain(alert.workstation.name, NAME_CHARS_MAX),
      },
      record: alert.record,
      link: consoleUrl === undefined ? null : `${consoleUrl.replace(/\/+$/, "")}/alerts?open=${alert.id}`,
    },
  };
}

export function testMessage(id: string, name: string, now: Date, consoleUrl: string | undefined): Message {
  return {
    id,
    type: "test",
    time: now,
    alert: {
      ...{ id: "0", kind: "console.test", rule: "console.test", severity: "info" },
      title: "A test: this console's alerts arrive here",
      reason: `somebody pressed “Send a test” at the destination “${plain(name, NAME_CHARS_MAX)}”`,
      ...{ count: 1, workstation: null, record: null },
      link: consoleUrl === undefined ? null : `${consoleUrl.replace(/\/+$/, "")}/destinations`,
    },
  };
}

/** Chats read marks in a text: a mention calls everybody, a link hides where it leads, an address becomes one. */
function forChat(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("@", "@\u200b")
    .replaceAll("](", "]\u200b(")
    .replaceAll("://", ":\u200b//")
    .replaceAll(/\bwww\./gi, (www) => `${www.slice(0, -1)}\u200b.`);
}

export function chatText({ alert }: Message): string {
  const { severity, workstation, title, reason, link } = alert;
  const line = `[${severity}] ${workstation ? `${workstation.name}: ` : ""}${title}: ${reason}`;
  return link === null ? forChat(line) : `${forChat(line)}\n${link}`;
}

/** A webhook's body as Standard Webhooks has it (`type`, `timestamp`, `data`), with the `text` that chats show. */
export function webhookBody(message: Message): string {
  const { type, time, alert } = message;
  return JSON.stringify({ type, timestamp: time.toISOString(), text: chatText(message), data: { alert } });
}
