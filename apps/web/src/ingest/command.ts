/** A workstation's answer to a command → its row, within the transaction that commits the record. A workstation answers for
 *  its own commands alone. */
import { CommandId } from "@sallyport/shared/base/ids.ts";
import { advance, type CommandState, eventOf } from "@sallyport/shared/command/state.ts";
import type { ClientBase } from "pg";
import { projectedText } from "./prepare.ts";

export type Answer = { workstation: string; kind: string; body: unknown; timeMs: number };

export async function storeAnswer(tx: ClientBase, { workstation, kind, body, timeMs }: Answer): Promise<void> {
  const said = eventOf(kind, body, new Date(timeMs).toISOString());
  if (!said) return;
  const { of, event } = said;
  const byId = "command" in of ? CommandId.safeParse(of.command) : undefined;
  if (byId && !byId.success) return;
  const { rows } = await tx.query<{ id: string; state: CommandState }>(
    `SELECT id, state FROM command WHERE workstation_id = $1 AND ${byId ? "id = $2::uuid" : "digest = $2"} FOR UPDATE`,
    [workstation, byId ? byId.data : projectedText((of as { digest: string }).digest)],
  );
  const row = rows[0];
  const next = row && advance(row.state, event);
  if (!row || !next?.ok) return;
  const state = "reason" in next.value ? { ...next.value, reason: projectedText(next.value.reason ?? "") } : next.value;
  await tx.query("UPDATE command SET standing = $2, state = $3 WHERE id = $1", [row.id, state.state, state]);
}
