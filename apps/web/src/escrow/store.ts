/** Sealed recovery keys ↔ Postgres. */
import type { Pool, PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";

/** Newest first; of a volume whose key is replaced each month these are years. */
export const ESCROW_ROWS_MAX = 64;

export type EscrowRow = {
  trail: number;
  index: number;
  volume: string;
  slot: number;
  /** The organisation's key. */
  to: string;
  /** As the key's mark in the header carries it. */
  digest: string;
  received: string;
  wiped: { command: string; at: string } | null;
  destroyedAt: string | null;
};

type Raw = Omit<EscrowRow, "index" | "received" | "wiped" | "destroyedAt"> & {
  index: string;
  received: Date;
  wiped_by: string | null;
  wiped_at: Date | null;
  destroyed_at: Date | null;
};

/** One key once, as it came last: a trail that was begun anew, or an agent that was upgraded, brings it again. */
export async function listEscrow(pool: Pool, workstation: string): Promise<EscrowRow[]> {
  const { rows } = await pool.query<Raw>(
    `SELECT trail, index, volume, slot, "to", digest, received, wiped_by, wiped_at, destroyed_at
       FROM (SELECT DISTINCT ON (digest) * FROM escrow WHERE workstation_id = $1
              ORDER BY digest, received DESC, trail DESC, index DESC) once
      ORDER BY received DESC, trail DESC, index DESC LIMIT ${ESCROW_ROWS_MAX}`,
    [workstation],
  );
  return rows.map(({ index, received, wiped_by, wiped_at, destroyed_at, ...row }) => ({
    ...row,
    index: Number(index),
    received: received.toISOString(),
    wiped: wiped_by && wiped_at ? { command: wiped_by, at: wiped_at.toISOString() } : null,
    destroyedAt: destroyed_at?.toISOString() ?? null,
  }));
}

export type Taken = { workstation: string; name: string; volume: string; slot: number; to: string; sealed: string };

/** @throws Refusal where there is none, or it was destroyed */
export async function takeEscrow(tx: PoolClient, trail: number, index: number): Promise<Taken> {
  const { rows } = await tx.query<Omit<Taken, "sealed"> & { sealed: string | null; wiped_at: Date | null }>(
    `SELECT e.workstation_id AS workstation, w.name, e.volume, e.slot, e."to", e.sealed, e.wiped_at
       FROM escrow e JOIN workstation w ON w.id = e.workstation_id WHERE e.trail = $1 AND e.index = $2 FOR SHARE OF e`,
    [trail, index],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", "There is no such recovery key.");
  const { sealed, wiped_at, ...rest } = row;
  if (sealed === null || wiped_at)
    throw new Refusal("CONFLICT", "It was destroyed when its volume was wiped. Nothing opens that volume any more.");
  return { ...rest, sealed };
}
