/** A policy of the stack's one group, put where the worker takes it from. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import type pg from "pg";
import { putPublication, signPolicy } from "../../apps/web/src/dispatch/publication.ts";
import { hash } from "../../apps/web/src/trail/crypto.ts";
import { readConsoleKey } from "../../apps/web/src/trail/key.ts";
import type { Stack } from "../../packages/up/src/start.ts";

/** Its order. */
export async function publish(pool: pg.Pool, stack: Stack, draft: object): Promise<number> {
  const policy = Policy.parse(draft);
  const { rows } = await pool.query<{ id: GroupId; order: number }>(
    'SELECT id, (SELECT coalesce(max("order"), 0) + 1 FROM publication) AS "order" FROM "group"',
  );
  const { id: group, order } = rows[0]!;
  const ordered = { group, order, digest: policyDigest(hash, policy), policy, now: new Date() };
  const tx = await pool.connect();
  try {
    const written = { source: canonicalText(policy as never), message: "for a test", author: "rio", parent: undefined };
    await putPublication(tx, ordered, signPolicy(readConsoleKey(stack.keys.console), ordered), written);
  } finally {
    tx.release();
  }
  return order;
}
