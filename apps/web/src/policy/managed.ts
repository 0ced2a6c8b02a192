/** A group whose policy a repository is the source of: whoever else would write it is told where to. */
import type { PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";

/** In the transaction that would write. `repository`: what the writer says it comes from; nothing for a person's page.
 *  @throws Refusal */
export async function refuseManaged(tx: PoolClient, group: string, repository: string | null): Promise<void> {
  const { rows } = await tx.query<{ name: string; repository: string | null; gone: boolean }>(
    'SELECT name, repository, retired_at IS NOT NULL AS gone FROM "group" WHERE id = $1 FOR NO KEY UPDATE',
    [group],
  );
  const [row] = rows;
  if (!row) return; // whoever writes says so
  if (row.gone)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `${row.name} is retired${row.repository ? `: put its file back into ${row.repository} to have it again` : ""}.`,
    );
  if (row.repository !== null && row.repository !== repository)
    throw new Refusal("PRECONDITION_FAILED", managedWords(row.name, row.repository));
}

export const managedWords = (name: string, repository: string): string =>
  `${name} is managed from ${repository}: change its file there, and its pipeline applies it. An owner can take it back on the group's page.`;
