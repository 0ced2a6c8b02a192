/** The first group, `default`, with the strict default policy published to it: a workstation is never without one. */
import { randomUUID } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { signStatement } from "@sallyport/shared/policy/statement.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import pg from "pg";
import { hash } from "./signer.ts";

export const FIRST_GROUP = "default";
const AUTHOR = "sallyport";
const MESSAGE = "The defaults, which are the strict ones";

/** The group's id; makes it only where there is none of that name. */
export async function ensureFirstGroup(databaseUrl: string, signer: Signer): Promise<GroupId> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const found = await findGroup(client);
    if (found) return found;
    await client.query("BEGIN");
    await makeGroup(client, signer);
    await client.query("COMMIT");
    const made = await findGroup(client);
    if (!made) throw new Error(`The group "${FIRST_GROUP}" could not be made.`);
    return made;
  } finally {
    await client.end();
  }
}

async function findGroup(client: pg.Client): Promise<GroupId | undefined> {
  const { rows } = await client.query<{ id: GroupId }>('SELECT id FROM "group" WHERE name = $1', [FIRST_GROUP]);
  return rows[0]?.id;
}

async function makeGroup(client: pg.Client, signer: Signer): Promise<void> {
  const group = randomUUID() as string as GroupId;
  const { rowCount } = await client.query(
    'INSERT INTO "group" (id, name, threshold) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING',
    [group, FIRST_GROUP],
  );
  if (rowCount === 0) return; // another process was first
  await client.query("INSERT INTO group_key (group_id, key_id, public_key, role) VALUES ($1, $2, $3, 'console')", [
    group,
    keyId(hash, signer.publicKey),
    toBase64(signer.publicKey),
  ]);
  const policy = Policy.parse({});
  const digest = policyDigest(hash, policy);
  await client.query(
    `INSERT INTO revision (digest, canonical, source, author, message) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (digest) DO NOTHING`,
    [digest, canonicalText(policy), POLICY_TEMPLATE, AUTHOR, MESSAGE],
  );
  const statement = signStatement(
    hash,
    [signer],
    { type: "policy", audience: { group }, order: 1, issued: new Date().toISOString() },
    { group, digest, policy },
  );
  await client.query(
    `INSERT INTO publication (group_id, "order", digest, statement, published_by, message, source)
     VALUES ($1, 1, $2, $3, $4, $5, $6)`,
    [group, digest, statement, AUTHOR, MESSAGE, POLICY_TEMPLATE],
  );
}
