/** `sallyport-agent status`: read from the spool beside a running agent, or without one. */
import { existsSync } from "node:fs";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { origin } from "@sallyport/shared/trail/checkpoint.ts";
import { vkey } from "@sallyport/shared/trail/note.ts";
import { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { z } from "zod";
import { ed25519Signer, sha256 } from "./dom0/crypto.ts";
import { notAfter } from "./enrol/enrol.ts";
import { readEnrolment } from "./enrol/folder.ts";
import { beliefOf, inForce } from "./policy/believe.ts";
import { findKept } from "./policy/kept.ts";
import { asEnrolled } from "./policy/recover.ts";
import { spoolPath } from "./spool/open.ts";
import { openReadOnly } from "./spool/schema.ts";
import { storeOf } from "./spool/store.ts";

export type Status = {
  workstation: string;
  name: string;
  group: string;
  console: { listener: string; mqtt: string };
  certificateNotAfter: string;
  trail: { id: string; size: number; vkey: string; trailKey: string; checkpoint: string | null } | null;
  committed: number | null;
  spool: { records: number; bytes: number } | null;
  policy: { digest: string; order: number; taken: string } | null;
  /** Whom it believes: how many must sign, and the keys of those who may. */
  signers: { threshold: number; keys: { id: string; role: "console" | "approver" }[] };
  /** As the agent last reported; null before its first report. */
  reported: unknown;
};

/** @throws EnrolmentError */
export function readStatus(state: string): Status {
  const { facts, trailKey, tls } = readEnrolment(state);
  const { kept } = findKept(state);
  const policy = inForce(sha256, facts, kept);
  const { signers } = beliefOf(sha256, facts, asEnrolled(facts.workstation, kept, facts.membership, 0));
  const status: Status = {
    workstation: facts.workstation,
    name: facts.name,
    group: facts.group,
    console: { listener: facts.listener, mqtt: facts.mqtt },
    certificateNotAfter: notAfter(tls.certificate),
    trail: null,
    committed: null,
    spool: null,
    policy: policy ? { digest: policy.digest, order: policy.order, taken: policy.taken } : null,
    signers: { threshold: signers.threshold, keys: signers.keys.map(({ id, role }) => ({ id, role })) },
    reported: null,
  };
  if (!existsSync(spoolPath(state))) return status;
  const store = storeOf(openReadOnly(spoolPath(state)));
  try {
    const trail = store.openTrail();
    if (!trail) return status;
    const { publicKey } = ed25519Signer(trailKey);
    const held = store.held();
    const receipt = Receipt.safeParse(parse(store.state("receipt")));
    const committed =
      receipt.success && receipt.data.trail === trail.id ? Math.max(receipt.data.size, trail.base) : trail.base;
    return {
      ...status,
      trail: {
        id: trail.id,
        size: trail.size,
        vkey: vkey(sha256, origin(facts.workstation, trail.id), publicKey),
        trailKey: toBase64(publicKey),
        checkpoint: trail.checkpoint ?? null,
      },
      committed,
      spool: { records: trail.size - committed, bytes: held.bytes[0] + held.bytes[1] + held.bytes[2] },
      reported: parse(store.state("report")) ?? null,
    };
  } finally {
    store.close();
  }
}

const parse = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text));

function signersWords({ threshold, keys }: Status["signers"]): string {
  const of = (role: string) => keys.filter((key) => key.role === role).map(({ id }) => id);
  const console = of("console").length > 0 ? `the console (${of("console").join(" or ")})` : "";
  if (threshold <= 1) return `${console || of("approver").join(" or ")} alone`;
  const people = of("approver").join(", ");
  return console ? `${console} and ${threshold - 1} of ${people}` : `${threshold} of ${people}`;
}

const Seen = z.object({
  link: z.object({ state: z.string(), why: z.string().optional() }),
  at: z.string(),
  sections: z.record(z.string(), z.object({ outcome: z.string(), reason: z.string().optional() })),
  sources: z.record(z.string(), z.object({ state: z.string(), reason: z.string().optional() })),
  overlays: z.array(z.object({ audience: z.string(), order: z.int(), entries: z.int() })).optional(),
});

export function statusInWords(status: Status): string {
  const { trail, spool, policy } = status;
  const seen = Seen.safeParse(status.reported);
  const lines = [
    `Workstation  ${status.workstation} (${status.name})`,
    `Console      ${status.console.mqtt}`,
    `Certificate  until ${status.certificateNotAfter}`,
    `Policy       ${policy ? `${policy.digest.slice(0, 12)}, order ${policy.order}, since ${policy.taken}` : "none yet: the strict defaults hold"}`,
    `Signed by    ${signersWords(status.signers)}`,
    `Trail        ${trail ? `${trail.id}, ${trail.size} records, ${status.committed} committed by the console` : "none yet: the agent has not run"}`,
    `Spool        ${spool ? `${spool.records} records without a receipt; ${spool.bytes} bytes of contents held` : "empty"}`,
  ];
  if (seen.success) {
    lines.push(
      `Last report  ${seen.data.at}, ${seen.data.link.state}${seen.data.link.why ? `: ${seen.data.link.why}` : ""}`,
    );
    for (const [name, { outcome, reason }] of Object.entries(seen.data.sections))
      lines.push(`  section ${name.padEnd(8)} ${outcome}${reason ? `: ${reason}` : ""}`);
    for (const { audience, order, entries } of seen.data.overlays ?? [])
      if (entries > 0) lines.push(`  denied ${entries} by the overlay of ${audience}, order ${order}`);
    for (const [name, { state, reason }] of Object.entries(seen.data.sources))
      lines.push(`  source ${name} ${state}${reason ? `: ${reason}` : ""}`);
  }
  if (trail) lines.push("", "Key", trail.vkey, "", "Newest checkpoint", trail.checkpoint ?? "none yet");
  return `${lines.join("\n")}\n`;
}
