/** A group whose policy a repository is the source of: whoever else would write it is told where to. */
import type { PoolClient } from "pg";
import type { Act } from "../person/act.ts";
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

/** `repository` null: this console is its source again. In the caller's transaction; answers the act. @throws Refusal where there is no such group, or it is so already */
export async function markRepository(
  tx: PoolClient,
  group: string,
  repository: string | null,
  reason: string | undefined,
): Promise<Act> {
  const { rows } = await tx.query<{ name: string; repository: string | null }>(
    'SELECT name, repository FROM "group" WHERE id = $1 FOR UPDATE',
    [group],
  );
  const [row] = rows;
  if (!row) throw new Refusal("NOT_FOUND", "There is no such group.");
  if (row.repository === repository)
    throw new Refusal(
      "CONFLICT",
      repository === null ? `${row.name} is this console's already.` : `${row.name} is managed from there already.`,
    );
  await tx.query('UPDATE "group" SET repository = $2 WHERE id = $1', [group, repository]);
  const why = reason ? `: ${reason}` : "";
  const text =
    repository === null
      ? `took ${row.name} back from ${row.repository}${why}`
      : `has ${row.name} managed from ${repository}${why}`;
  return {
    kind: "person.group-managed",
    text: text.slice(0, 900),
    subject: `group/${group}`,
    before: { repository: row.repository },
    after: { repository, ...(reason !== undefined && { reason }) },
  };
}
