/** What is denied ↔ Postgres: added and lifted in the caller's transaction, and signed there as the audience's whole
 *  overlay, of a higher order. dispatch/overlays.ts sends what the rows say. */
import { randomBytes } from "node:crypto";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import {
  CarriedOverlay,
  type Denied,
  type DenyId,
  deniedWords,
  OVERLAY_ENTRIES_MAX,
  type OverlayEntry,
  overlayFault,
} from "@sallyport/shared/policy/overlay.ts";
import { type Audience, signStatement } from "@sallyport/shared/policy/statement.ts";
import { audienceKey } from "@sallyport/shared/policy/verify.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import type { PoolClient } from "pg";
import { hash } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";

const HOUR_MS = 3_600_000;
/** Any number that nothing else locks by: changes of overlays come one after another. */
const LOCK = 0x0de1;

export type Adding = { audience: Audience; what: Denied; hours: number; reason: string; by: string; now: Date };
/** `instead` names the entry of the same thing that this one takes the place of. */
export type Added = { id: DenyId; words: string; until: string; whose: string; instead: string | undefined };

export async function addDeny(tx: PoolClient, signer: Signer, adding: Adding): Promise<Added> {
  const { audience, what, hours, reason, by, now } = adding;
  await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
  const whose = await nameOf(tx, audience);
  const key = audienceKey(audience);
  const words = deniedWords(what);
  const until = new Date(now.getTime() + hours * HOUR_MS).toISOString();
  const before = await standing(tx, key, now);
  const same = before.find((entry) => deniedWords(entry.what) === words);
  if (same && Date.parse(same.until) >= Date.parse(until))
    throw new Refusal("CONFLICT", `This is denied for ${whose} already, until ${same.until} (${same.id}).`);
  const others = before.filter(({ id }) => id !== same?.id);
  if (others.length >= OVERLAY_ENTRIES_MAX)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `${OVERLAY_ENTRIES_MAX} things are denied for ${whose}, and an overlay holds no more. Lift some, or put them into a policy (usb.denySha256, usb.deviceRules, network.rules).`,
    );
  const id = randomBytes(6).toString("hex") as DenyId;
  const order = await sign(tx, signer, audience, [...others, { id, until, reason, what }], now);
  if (same) await noteLifted(tx, same.id, { by, now, order, reason: `prolonged: ${reason}` });
  await tx.query(
    `INSERT INTO deny (id, audience, what, words, reason, until, added_by, added_at, added_order)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [id, key, what, words, reason, until, by, now, order],
  );
  return { id, words, until, whose, instead: same?.id };
}

export type Lifted = { words: string; until: string; whose: string; audience: string };

export async function liftDeny(
  tx: PoolClient,
  signer: Signer,
  { id, reason, by, now }: { id: string; reason: string; by: string; now: Date },
): Promise<Lifted> {
  await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
  const { rows } = await tx.query<{ audience: string; words: string; until: Date; lifted_at: Date | null }>(
    "SELECT audience, words, until, lifted_at FROM deny WHERE id = $1",
    [id],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", `Nothing is denied under ${id}.`);
  if (row.lifted_at) throw new Refusal("CONFLICT", `It was lifted already, at ${row.lifted_at.toISOString()}.`);
  if (row.until <= now) throw new Refusal("CONFLICT", `It ended by itself at ${row.until.toISOString()}.`);
  const audience = audienceOf(row.audience);
  const left = (await standing(tx, row.audience, now)).filter((entry) => entry.id !== id);
  const order = await sign(tx, signer, audience, left, now);
  await noteLifted(tx, id, { by, now, order, reason });
  return {
    words: row.words,
    until: row.until.toISOString(),
    whose: await nameOf(tx, audience, false),
    audience: row.audience,
  };
}

async function noteLifted(
  tx: PoolClient,
  id: string,
  { by, now, order, reason }: { by: string; now: Date; order: number; reason: string },
): Promise<void> {
  await tx.query("UPDATE deny SET lifted_by = $2, lifted_at = $3, lifted_order = $4, lift_reason = $5 WHERE id = $1", [
    id,
    by,
    now,
    order,
    reason,
  ]);
}

async function standing(tx: PoolClient, audience: string, now: Date): Promise<OverlayEntry[]> {
  const { rows } = await tx.query<Omit<OverlayEntry, "until"> & { until: Date }>(
    "SELECT id, until, reason, what FROM deny WHERE audience = $1 AND lifted_at IS NULL AND until > $2 ORDER BY added_at, id",
    [audience, now],
  );
  return rows.map((row) => ({ ...row, until: row.until.toISOString() }));
}

/** Everything that stands, as one statement. It is valid as long as anything that was ever in it could be: so one that
 *  lifts reaches whoever still has what it lifts. */
async function sign(
  tx: PoolClient,
  signer: Signer,
  audience: Audience,
  entries: OverlayEntry[],
  now: Date,
): Promise<number> {
  const key = audienceKey(audience);
  const { rows } = await tx.query<{ order: string; not_after: Date }>(
    'SELECT "order", not_after FROM overlay WHERE audience = $1 ORDER BY "order" DESC LIMIT 1',
    [key],
  );
  const ends = [...entries.map(({ until }) => Date.parse(until)), rows[0]?.not_after.getTime() ?? 0];
  const notAfter = new Date(Math.max(...ends)).toISOString();
  // never below the clock's seconds: a console that was restored must not give an order number again
  const order = Math.max(Number(rows[0]?.order ?? 0) + 1, Math.floor(now.getTime() / 1000));
  const issued = now.toISOString();
  const carried = CarriedOverlay.parse({ entries });
  const fault = overlayFault({ issued, notAfter }, carried);
  if (fault) throw new Refusal("BAD_REQUEST", `Workstations would refuse this: ${fault}.`);
  const statement = signStatement(hash, [signer], { type: "overlay", audience, order, issued, notAfter }, carried);
  await tx.query('INSERT INTO overlay (audience, "order", statement, made_at, not_after) VALUES ($1, $2, $3, $4, $5)', [
    key,
    order,
    JSON.stringify(statement),
    now,
    notAfter,
  ]);
  await tx.query("SELECT pg_notify('overlay', $1)", [key]);
  return order;
}

/** As audienceKey wrote it. */
export function audienceOf(key: string): Audience {
  const [kind, id] = key.split("/");
  if (kind === "group") return { group: id as GroupId };
  return kind === "workstation" ? { workstation: id as WorkstationId } : { fleet: true };
}

/** In words. @throws Refusal where there is no such group or workstation, or none that can be told */
async function nameOf(tx: PoolClient, audience: Audience, mustBe = true): Promise<string> {
  if ("fleet" in audience) return "the whole fleet";
  if ("group" in audience) {
    const { rows } = await tx.query<{ name: string; retired: boolean }>(
      'SELECT name, retired_at IS NOT NULL AS retired FROM "group" WHERE id = $1',
      [audience.group],
    );
    if (mustBe && (!rows[0] || rows[0].retired)) throw new Refusal("NOT_FOUND", "There is no such group.");
    return `group ${rows[0]?.name ?? audience.group}`;
  }
  const { rows } = await tx.query<{ name: string; state: string }>(
    "SELECT name, state FROM workstation WHERE id = $1",
    [audience.workstation],
  );
  if (!rows[0] && mustBe) throw new Refusal("NOT_FOUND", "There is no such workstation.");
  if (mustBe && rows[0]!.state !== "enrolled")
    throw new Refusal("PRECONDITION_FAILED", `${rows[0]!.name} is ${rows[0]!.state} and takes nothing.`);
  return rows[0]?.name ?? audience.workstation;
}
