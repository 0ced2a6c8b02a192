/** A person's token for the command line and pipelines: only its hash is kept, and it can do what its scopes say. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import { refuse } from "../trpc/plain.ts";
import { ACTS, type Act, may, type Role } from "./role.ts";

export const SCOPES = [
  "export",
  "policy:read",
  "policy:write",
  "rollout:read",
  "rollout:write",
  "artifact:read",
  "artifact:write",
  "approval",
  "deny:read",
  "deny:write",
  "exception:read",
  "exception:write",
  "command:read",
  "command:write",
] as const;
export type Scope = (typeof SCOPES)[number];

const PREFIX = "sallyport_";
const SECRET_BYTES = 32;
export const TOKEN_DAYS_MAX = 366;
const TOKENS_MAX = 100;

export const hashToken = (token: string): Buffer => createHash("sha256").update(`sallyport/token/1\n${token}`).digest();

/** The token is answered once and cannot be shown again. */
export async function makeToken(
  tx: Pool | PoolClient,
  { person, name, scopes, days }: { person: string; name: string; scopes: readonly Scope[]; days: number },
): Promise<{ id: string; token: string }> {
  const id = randomUUID();
  const token = PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
  await tx.query(
    `INSERT INTO api_token (id, hash, name, scopes, person_id, expires)
     VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6::int))`,
    [id, hashToken(token), name, scopes, person, Math.min(days, TOKEN_DAYS_MAX)],
  );
  return { id, token };
}

export type Bearer = { id: string; email: string; role: Role; token: string };
export type Opened = { ok: true; bearer: Bearer } | { ok: false; status: 401 | 403; reason: string };

/** Whose token an `Authorization: Bearer …` header carries, and whether it may do `scope`. */
export async function openToken(pool: Pool, header: string | null, scope: Scope): Promise<Opened> {
  const token = /^Bearer (\S{1,128})$/i.exec(header ?? "")?.[1];
  if (!token) return { ok: false, status: 401, reason: "This needs an API token: make one on the Account page." };
  const { rows } = await pool.query<{ token: string; scopes: string[]; id: string; email: string; role: Role }>(
    `UPDATE api_token SET last_used_at = now() FROM person
      WHERE api_token.hash = $1 AND revoked_at IS NULL AND expires > now()
        AND person.id = person_id AND person.disabled_at IS NULL
      RETURNING api_token.id AS token, scopes, person.id, person.email, person.role::text AS role`,
    [hashToken(token)],
  );
  const row = rows[0];
  if (!row) return { ok: false, status: 401, reason: "This API token is not known, revoked or expired." };
  if (!row.scopes.includes(scope)) return { ok: false, status: 403, reason: `This API token has no scope "${scope}".` };
  return { ok: true, bearer: { id: row.id, email: row.email, role: row.role, token: row.token } };
}

/** Who asks by an API token of this scope, where the person's role allows it; otherwise what is answered. */
export async function admit(pool: Pool, request: Request, scope: Scope, act: Act): Promise<Bearer | Response> {
  const opened = await openToken(pool, request.headers.get("authorization"), scope);
  if (!opened.ok) return refuse(opened.status, opened.reason);
  return refuseRole(opened.bearer.role, act) ?? opened.bearer;
}

export const refuseRole = (role: Role, act: Act): Response | undefined =>
  may(role, act) ? undefined : refuse(403, `As ${role} you may not ${ACTS[act]}.`);

export type TokenRow = { id: string; name: string; scopes: string[]; expires: string; lastUsedAt: string | null };

/** A person's own tokens that still work, newest first. */
export async function listTokens(pool: Pool, person: string): Promise<TokenRow[]> {
  const { rows } = await pool.query<{
    id: string;
    name: string;
    scopes: string[];
    expires: Date;
    last_used_at: Date | null;
  }>(
    `SELECT id, name, scopes, expires, last_used_at FROM api_token
      WHERE person_id = $1 AND revoked_at IS NULL AND expires > now() ORDER BY created_at DESC LIMIT $2`,
    [person, TOKENS_MAX],
  );
  return rows.map(({ expires, last_used_at, ...row }) => ({
    ...row,
    expires: expires.toISOString(),
    lastUsedAt: last_used_at?.toISOString() ?? null,
  }));
}

/** Its name, or nothing where the person has no such token. */
export async function revokeToken(tx: PoolClient, person: string, id: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ name: string }>(
    "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND person_id = $2 AND revoked_at IS NULL RETURNING name",
    [id, person],
  );
  return rows[0]?.name;
}
