/** A small true console: a broker with TLS and client certificates, a listener, and a store in memory that verifies
 *  everything and accepts by the shared rule. What it can do wrong it does only when a test asks it to. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { toBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, Sha256, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, type Signers, signStatement } from "@sallyport/shared/policy/statement.ts";
import { commitment } from "@sallyport/shared/record/content.ts";
import { Reported } from "@sallyport/shared/state/reported.ts";
import { accept } from "@sallyport/shared/trail/accept.ts";
import { openCheckpoint, origin } from "@sallyport/shared/trail/checkpoint.ts";
import { type Entry, leafHash } from "@sallyport/shared/trail/entry.ts";
import { type Receipt, signReceipt } from "@sallyport/shared/trail/receipt.ts";
import { isSignedBy, keyId, type Signed, type Signer } from "@sallyport/shared/trail/signed.ts";
import { type Edge, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { decodeBatch } from "@sallyport/shared/wire/batch.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import { hash as sha256, signerOf, verify } from "../../../../packages/shared/test/keys.ts";
import { ensureKeys } from "../../../../packages/up/src/keys.ts";
import { startBroker } from "./broker.ts";
import { startListener } from "./listener.ts";

export type Stored = {
  entry: Entry;
  text: string;
  content: { text: string; body: Record<string, unknown> } | undefined;
};
export type Trail = { id: TrailId; edge: Edge; leaves: Uint8Array[]; records: Stored[]; closed: boolean };

export type Console = Awaited<ReturnType<typeof startConsole>>;

export async function startConsole() {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-console-"));
  const keys = await ensureKeys(folder);
  const signer = signerOf(readFileSync(keys.console, "utf8"));
  const ca = readFileSync(keys.ca, "utf8");
  const group = randomUUID() as GroupId;
  const signers = {
    threshold: 1,
    keys: [{ id: keyId(sha256, signer.publicKey), publicKey: toBase64(signer.publicKey), role: "console" as const }],
  };

  const trailKeys = new Map<WorkstationId, Uint8Array>();
  const trails = new Map<TrailId, Trail>();
  const newest = new Map<WorkstationId, TrailId>();
  const reported = new Map<WorkstationId, Reported>();
  const desired = new Map<WorkstationId, { statements: SignedStatement[] }>();
  const refusals: string[] = [];
  const console = {
    folder,
    group,
    signer,
    trails,
    newest,
    reported,
    refusals,
    epoch: 0,
    /** Signs receipts. */
    receiptSigner: signer,
    /** What time receipts say it is. */
    clock: () => new Date(),
    /** Answered to whoever asks; while false nothing is stored and nothing is answered. */
    awake: true,
    /** How likely a batch that the broker acknowledged is lost behind it; where it is above 0 the first one always is. */
    loseShare: 0,
    /** The broker knows no overlays. */
    oldRules: false,
    lostBatches: 0,
    batches: 0,
    certificateSeconds: 3600,
    /** Safe lags behind size by this many records. */
    safeLag: 0,
    receipt,
    say,
    publishPolicy,
    sendDesired,
    /** All that it should have taken, in this order. */
    send: (workstation: WorkstationId, statements: SignedStatement[]) => {
      desired.set(workstation, { statements });
      sendDesired(workstation);
    },
    /** Not retained: an order that is not heard is sent again. */
    sendCommand: (workstation: WorkstationId, statement: SignedStatement) =>
      broker.publish(topic(workstation, "command"), JSON.stringify(statement), false),
    sendOverlay: (workstation: WorkstationId, statement: SignedStatement) =>
      broker.publish(topic(workstation, "overlay"), JSON.stringify({ statements: [statement] }), true),
    /** Who may sign for it from here on, and how many of them must. */
    sendMembership: (workstation: WorkstationId, keys: Signers["keys"], threshold: number) => {
      desired.set(workstation, { statements: [membershipOf(workstation, 2, { threshold, keys })] });
      sendDesired(workstation);
    },
    token: () => listener.token(),
    cut: () => broker.cut(),
    stop,
    records,
    statement: (more: Parameters<typeof signStatement>[2], carried: unknown, by: Signer = signer) =>
      signStatement(sha256, [by], more, carried),
  };

  const broker = await startBroker({
    ...{ keys, ca },
    knows: (workstation) => trailKeys.has(workstation),
    losesBatch() {
      const isLost = console.loseShare > 0 && (console.lostBatches === 0 || Math.random() < console.loseShare);
      if (isLost) console.lostBatches++;
      return isLost;
    },
    maySubscribe: (channel) => !(console.oldRules && channel === "overlay"),
    heard(workstation, channel, bytes) {
      if (!console.awake) return;
      if (channel === "batch") offer(workstation, bytes);
      else if (channel === "presence") present(workstation, JSON.parse(bytes.toString()));
      else if (channel === "reported") takeReport(workstation, JSON.parse(bytes.toString()));
    },
  });
  const listener = await startListener({
    ...{ keys, ca },
    certificateSeconds: () => console.certificateSeconds,
    trailKeyOf: (workstation) => trailKeys.get(workstation),
    welcome(workstation, trailKey) {
      trailKeys.set(workstation, trailKey);
      const membership = membershipOf(workstation, 1, signers);
      desired.set(workstation, { statements: [membership] });
      return { mqtt: broker.url, consoleKeys: [toBase64(signer.publicKey)], membership };
    },
  });

  function offer(workstation: WorkstationId, bytes: Uint8Array): void {
    console.batches++;
    const batch = decodeBatch((packed, max) => zstdDecompressSync(packed, { maxOutputLength: max }), bytes);
    if (!batch.ok) return void refusals.push(batch.error);
    const { header, records: lines } = batch.value;
    let trail = trails.get(header.trail);
    const first = JSON.parse(lines[0]!.entry) as Entry;
    if (!trail && header.from === 0 && first.kind === "trail.opened") {
      const body = JSON.parse(lines[0]!.content!).body as { trail: TrailId; previous?: { trail: TrailId } };
      if (body.trail !== header.trail) return void refusals.push("the trail is not the one it says");
      trail = { id: header.trail, edge: EMPTY_EDGE, leaves: [], records: [], closed: false };
      trails.set(trail.id, trail);
      newest.set(workstation, trail.id);
      const previous = body.previous && trails.get(body.previous.trail);
      if (previous) previous.closed = true;
    }
    if (!trail) {
      say(workstation, { trail: header.trail, size: 0, root: rootOf(EMPTY_EDGE), safe: 0, answer: "ahead" });
      return;
    }
    const name = origin(workstation, trail.id);
    const checkpoint = openCheckpoint(sha256, verify, name, trailKeys.get(workstation)!, header.checkpoint);
    if (!checkpoint.ok) return void refusals.push(checkpoint.error);
    for (const { entry, salt, content } of lines) {
      if (!salt || content === undefined) continue;
      if (toHex(commitment(sha256, salt, toUtf8(content))) !== (JSON.parse(entry) as Entry).content)
        return void refusals.push("a content is not what its entry commits to");
    }
    const leaves = lines.map(({ entry }) => leafHash(sha256, entry));
    const answer = accept(
      sha256,
      trail.edge,
      { from: header.from, leaves, checkpoint: checkpoint.value },
      trail.leaves.slice(header.from),
    );
    if (answer.answer === "fork") refusals.push(answer.reason);
    if (answer.answer === "new") {
      trail.edge = answer.edge;
      trail.leaves.push(...leaves.slice(answer.skip));
      trail.records.push(
        ...lines.slice(answer.skip).map(({ entry, content }) => ({
          entry: JSON.parse(entry) as Entry,
          text: entry,
          content: content === undefined ? undefined : JSON.parse(content),
        })),
      );
    }
    receipt(workstation, trail.id, answer.answer);
  }

  function membershipOf(workstation: WorkstationId, order: number, of: Signers): SignedStatement {
    const asked = { type: "membership" as const, audience: { workstation }, order, issued: new Date().toISOString() };
    return signStatement(sha256, [signer], asked, { workstation, group, groupName: "all", signers: of });
  }

  function present(workstation: WorkstationId, { state }: { state: string }): void {
    if (state !== "online") return;
    const trail = newest.get(workstation);
    if (trail) receipt(workstation, trail, "stand");
    sendDesired(workstation);
  }

  function takeReport(workstation: WorkstationId, signed: Signed): void {
    const ok = isSignedBy(verify, trailKeys.get(workstation)!, "sallyport/reported/1", signed);
    if (!ok) return void refusals.push("a report that its trail's key did not sign");
    reported.set(workstation, Reported.parse(JSON.parse(signed.text)));
  }

  function receipt(workstation: WorkstationId, id: TrailId, answer: Receipt["answer"]): void {
    const { edge } = trails.get(id)!;
    const safe = Math.max(0, edge.size - console.safeLag);
    say(workstation, { trail: id, size: edge.size, root: rootOf(edge), safe, answer });
  }

  function say(
    workstation: WorkstationId,
    more: Omit<Receipt, "workstation" | "epoch" | "time"> & Partial<Receipt>,
    by: Signer = console.receiptSigner,
  ): void {
    const signed = signReceipt(sha256, by, {
      workstation,
      epoch: console.epoch,
      time: console.clock().toISOString(),
      ...more,
    });
    broker.publish(topic(workstation, "receipt"), JSON.stringify(signed), false);
  }

  const rootOf = (edge: Edge): Sha256 => toHex(root(sha256, edge)) as Sha256;

  let order = 0;
  function publishPolicy(
    workstation: WorkstationId,
    policy: unknown,
    more: { order?: number; group?: GroupId; by?: Signer } = {},
  ): string {
    const whole = Policy.parse(policy);
    const of = more.group ?? group;
    order = more.order ?? order + 1;
    const carried = { group: of, digest: policyDigest(sha256, whole), policy: whole };
    const statement = signStatement(
      sha256,
      [more.by ?? signer],
      { type: "policy", audience: { group: of }, order, issued: new Date().toISOString() },
      carried,
    );
    desired.set(workstation, { statements: [statement] });
    sendDesired(workstation);
    return carried.digest;
  }

  function sendDesired(workstation: WorkstationId): void {
    const wanted = desired.get(workstation);
    if (wanted) broker.publish(topic(workstation, "desired"), JSON.stringify(wanted), true);
  }

  async function stop(): Promise<void> {
    listener.stop();
    await broker.stop();
  }

  /** All records of all trails of a workstation in the order of their trails. */
  function records(kind?: string): Stored[] {
    return [...trails.values()].flatMap((trail) => trail.records).filter(({ entry }) => !kind || entry.kind === kind);
  }

  return console;
}

export const emptyRoot = toHex(sha256(new Uint8Array(0))) as Sha256;
