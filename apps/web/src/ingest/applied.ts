/** What a workstation says that it has in force → a row to look up by time, within the transaction that commits the record. */
import type { PolicyApplied } from "@sallyport/shared/record/agent.ts";
import type { ClientBase } from "pg";
import { projectedText } from "./prepare.ts";

export type From = { workstation: string; trail: number; index: number; timeMs: number };

export async function storeApplied(tx: ClientBase, from: From, body: PolicyApplied, receivedMs: number): Promise<void> {
  const outcomes = Object.fromEntries(
    Object.entries(body.outcomes).map(([section, { outcome, reason }]) => [
      projectedText(section),
      { outcome, ...(reason !== undefined && { reason: projectedText(reason) }) },
    ]),
  );
  await tx.query(
    `INSERT INTO applied_policy (trail, index, workstation_id, time, received, digest, "order", outcomes)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      from.trail,
      from.index,
      from.workstation,
      new Date(from.timeMs),
      new Date(receivedMs),
      body.digest,
      body.order,
      outcomes,
    ],
  );
}
