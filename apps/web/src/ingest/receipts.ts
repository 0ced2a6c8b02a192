/** Answers → signed receipts on the workstations' topics; only for what is committed. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Sha256, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Receipt, signReceipt } from "@sallyport/shared/trail/receipt.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { type Edge, edgeFromBytes, root } from "@sallyport/shared/trail/tree.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type { Pool } from "pg";
import { hash } from "../trail/crypto.ts";
import type { Answer } from "./judge.ts";

export type Stand = Answer & { edge: Edge };
const REASON_CHARS_MAX = 512;

/** One receipt a trail, and a second where something was refused: what matters of many answers is where it stands now
 *  and the newest refusal. */
export function coalesce(answers: readonly Answer[]): Answer[] {
  const newest = new Map<string, Answer>();
  for (const answer of answers) {
    const refused = answer.answer === "fork" || answer.answer === "refused";
    const key = `${answer.workstation}/${answer.trail}/${refused}`;
    newest.delete(key);
    newest.set(key, answer);
  }
  return [...newest.values()];
}

export type Publish = (topic: string, text: string, retain: boolean) => Promise<void>;

/** A receipt that does not arrive is asked for again by the batch that is sent again. `asOf` is when the rows were read
 *  that it speaks of: a commit between that and the sending must not make the older size the newer statement. */
export function sendReceipts(
  publish: Publish,
  signer: Signer,
  epoch: number,
  stands: readonly Stand[],
  asOf: Date = new Date(),
): Promise<unknown> {
  const time = asOf.toISOString();
  return Promise.allSettled(
    stands.map(({ workstation, trail, answer, reason, edge }) => {
      const receipt: Receipt = {
        workstation,
        trail,
        epoch,
        size: edge.size,
        root: toHex(root(hash, edge)) as Sha256,
        safe: edge.size,
        answer,
        ...(reason && { reason: reason.slice(0, REASON_CHARS_MAX) }),
        time,
      };
      return publish(topic(workstation, "receipt"), JSON.stringify(signReceipt(hash, signer, receipt)), false);
    }),
  );
}

/** Where the newest open trails of workstations that are back stand. */
export async function standing(
  pool: Pool,
  workstations: readonly WorkstationId[],
): Promise<{ epoch: number; stands: Stand[]; asOf: Date }> {
  const asOf = new Date();
  type Raw = { id: TrailId; workstation_id: WorkstationId; size: string; edge: Buffer; epoch: number };
  const { rows } = await pool.query<Raw>(
    `SELECT DISTINCT ON (workstation_id) id, workstation_id, size, edge, (SELECT epoch FROM console_state) AS epoch
       FROM trail WHERE workstation_id = ANY($1::uuid[]) AND state = 'open' ORDER BY workstation_id, num DESC`,
    [workstations],
  );
  const stands = rows.map(({ id, workstation_id, size, edge }) => ({
    workstation: workstation_id,
    trail: id,
    answer: "stand" as const,
    edge: edgeFromBytes(Number(size), edge),
  }));
  return { epoch: rows[0]?.epoch ?? 0, stands, asOf };
}
