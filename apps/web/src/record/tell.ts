/** A record's body → what happened, in the words of its kind: a sentence and the few facts a reader asks for next. Pure.
 *  A body that is not of its kind's shape tells nothing here; Record and Raw still show it. */
import type {
  AgentGap,
  PolicyApplied,
  PolicyDrift,
  PolicyOverlay,
  PolicyRefused,
  TrailOpened,
} from "@sallyport/shared/record/agent.ts";
import type { PersonAct } from "@sallyport/shared/record/console.ts";
import type { GuestLog, GuestSuppressed } from "@sallyport/shared/record/guest.ts";
import type { IdsAlert, IdsEvent, NetDrop } from "@sallyport/shared/record/ids.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";

export type Told = { sentence: string; facts: [string, string][] };

const FACT_CHARS_MAX = 600;

const end = (host: string | undefined, port: number | undefined): string =>
  host === undefined
    ? "somewhere"
    : port === undefined
      ? host
      : host.includes(":")
        ? `[${host}]:${port}`
        : `${host}:${port}`;

type Ends = Pick<NetDrop, "source" | "sourcePort" | "destination" | "destinationPort" | "protocol">;
const route = (at: Ends): string =>
  `${end(at.source, at.sourcePort)} → ${end(at.destination, at.destinationPort)}${at.protocol ? `, ${at.protocol}` : ""}`;

const present = (facts: [string, string | number | undefined][]): [string, string][] =>
  facts.flatMap(([name, value]): [string, string][] =>
    value === undefined || value === "" ? [] : [[name, String(value).slice(0, FACT_CHARS_MAX)]],
  );

export function tell(kind: string, untrusted: unknown): Told | undefined {
  const read = bodySchema(kind)?.safeParse(untrusted);
  if (!read?.success) return undefined;
  const body: unknown = read.data;
  if (kind.startsWith("person.") || kind.startsWith("console.")) return person(body as PersonAct);
  switch (kind) {
    case "guest.log":
      return guestLog(body as GuestLog);
    case "guest.suppressed": {
      const { lines, bytes, since, until, reason, from } = body as GuestSuppressed;
      return {
        sentence: `${lines} lines of a guest were held back before they got an index, and counted instead.`,
        facts: present([
          ["reason", reason],
          ["from", from],
          ["bytes", bytes],
          ["since", since],
          ["until", until],
        ]),
      };
    }
    case "ids.alert": {
      const at = body as IdsAlert;
      return {
        sentence: `The intrusion detector knows this traffic: ${at.signature}.`,
        facts: present([
          ["route", route(at)],
          ["category", at.category],
          ["action", at.action],
          ["signature", `${at.generator ?? 1}:${at.signatureId}:${at.revision ?? 0}`],
          ["flow", at.flow],
        ]),
      };
    }
    case "ids.event": {
      const at = body as IdsEvent;
      return {
        sentence: `The intrusion detector saw ${at.type} on the guest’s wire.`,
        facts: present([
          ["route", route(at)],
          ["flow", at.flow],
        ]),
      };
    }
    case "net.drop": {
      const at = body as NetDrop;
      return {
        sentence: "dom0’s firewall dropped a packet; the guest’s peer never saw it.",
        facts: present([
          ["route", route(at)],
          ["rule", at.rule],
          ["in", at.in],
          ["out", at.out],
          ["bytes", at.bytes],
        ]),
      };
    }
    case "trail.opened": {
      const { previous, agentVersion, hostname } = body as TrailOpened;
      return {
        sentence: previous
          ? `A new trail goes on where another stopped: ${previous.reason}.`
          : "A trail begins here: the first record of this enrolment and disk.",
        facts: present([
          ["agent", agentVersion],
          ["host", hostname],
          ["goes on from", previous && `${previous.trail} at ${previous.size}`],
        ]),
      };
    }
    case "policy.applied":
      return applied(body as PolicyApplied);
    case "policy.drift": {
      const { section, action, found } = body as PolicyDrift;
      return {
        sentence:
          action === "left"
            ? `Somebody changed the section ${section} behind the agent’s back; in audit mode it is let be.`
            : `Somebody changed the section ${section} behind the agent’s back, and the agent put it back.`,
        facts: found.map((words) => ["found", words]),
      };
    }
    case "policy.overlay": {
      const { audience, order, entries, added, gone } = body as PolicyOverlay;
      return {
        sentence: `${entries} denied here by the overlay of ${audience.split("/")[0] === "fleet" ? "the fleet" : `this ${audience.split("/")[0]}`}, whatever the policy says.`,
        facts: present([
          ["order", order],
          ...added.map(({ what, until, reason }): [string, string] => ["denied", `${what} until ${until}: ${reason}`]),
          ...gone.map(({ id, why }): [string, string] => [why, id]),
        ]),
      };
    }
    case "policy.refused": {
      const { type, order, code, reason } = body as PolicyRefused;
      return {
        sentence:
          type === "receipt"
            ? "The agent does not believe what time the console says it is."
            : `The agent refused a ${type} statement and kept what it had.`,
        facts: present([
          ["reason", reason],
          ["code", code],
          ["order", order],
        ]),
      };
    }
    case "agent.gap": {
      const { from, to, contents, bytes, reason } = body as AgentGap;
      if (from === to)
        return {
          sentence: `${contents} observations had no room and never became records (${reason}).`,
          facts: present([
            ["before record", from],
            ["bytes", bytes],
          ]),
        };
      return {
        sentence: `The contents of ${contents} records were given up (${reason}); their entries, and so their proofs, stand.`,
        facts: present([
          ["records", `${from} to ${to - 1}`],
          ["bytes", bytes],
        ]),
      };
    }
    default:
      return undefined;
  }
}

function guestLog(at: GuestLog): Told {
  const who = at.app ? `${at.app}${at.process ? `[${at.process}]` : ""}` : "The guest";
  return {
    sentence: `${who} wrote a line${at.claimedHost ? `, calling its host ${at.claimedHost}` : ""}.`,
    facts: present([
      ["message", at.message],
      ["came by", `${at.via}, ${at.from}`],
      ["claims", at.claimedTime && `to have been written at ${at.claimedTime}`],
      ["part", at.part && `${at.part.number}${at.part.last ? ", the last" : ""} of one line`],
    ]),
  };
}

function applied({ order, outcomes }: PolicyApplied): Told {
  const by = (wanted: string) => Object.entries(outcomes).filter(([, { outcome }]) => outcome === wanted);
  const list = (wanted: string) =>
    by(wanted)
      .map(([name, { reason }]) => (reason ? `${name} (${reason})` : name))
      .join(", ");
  return {
    sentence: `The agent made policy r${order} true and looked: ${by("applied").length} of ${Object.keys(outcomes).length} sections are in force.`,
    facts: present([
      ["in force", list("applied")],
      ["not applied", list("not-applied")],
      ["failed", list("failed")],
    ]),
  };
}

function person({ actor, address, subject, before, after }: PersonAct): Told | undefined {
  if (!actor) return undefined; // the console's own acts carry a detail instead
  const json = (value: unknown) => (value === undefined ? undefined : JSON.stringify(value));
  return {
    sentence: `${actor.email ?? actor.id} did this on the console${address ? `, from ${address}` : ""}.`,
    facts: present([
      ["subject", subject],
      ["before", json(before)],
      ["after", json(after)],
      ["token", actor.token],
    ]),
  };
}
