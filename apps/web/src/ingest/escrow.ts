/** A sealed recovery key → its row in the inventory; a wiped volume → the mark that its rows are to be destroyed
 *  (escrow/destroy.ts). Within the transaction that commits the record. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { sealedDigest } from "@sallyport/shared/disk/sealed.ts";
import type { DiskRecovery, DiskWiped } from "@sallyport/shared/record/disk.ts";
import type { ClientBase } from "pg";
import { hash } from "../trail/crypto.ts";

type From = { workstation: string; trail: number; index: number };

/** What comes again for a volume that was wiped, on a trail that was begun anew, is marked as that. */
export async function storeEscrow(
  tx: ClientBase,
  { workstation, trail, index }: From,
  { sealed }: DiskRecovery,
  receivedMs: number,
): Promise<void> {
  await tx.query(
    `INSERT INTO escrow (trail, index, workstation_id, volume, slot, "to", digest, sealed, received, wiped_by, wiped_at)
     SELECT $1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, w.wiped_by, w.wiped_at
       FROM (SELECT 1) one LEFT JOIN LATERAL (
              SELECT e.wiped_by, e.wiped_at FROM escrow e
               WHERE e.workstation_id = $3::uuid AND e.volume = $4::uuid AND e.wiped_at IS NOT NULL LIMIT 1) w ON true`,
    [
      ...[trail, index, workstation, sealed.volume, sealed.slot, sealed.to, sealedDigest(hash, sealed)],
      ...[canonicalText(sealed), new Date(receivedMs)],
    ],
  );
}

/** Only where this console ordered it: a workstation that says so of itself destroys nothing here. */
export async function doomEscrow(
  tx: ClientBase,
  { workstation }: From,
  { command, volume }: DiskWiped,
  receivedMs: number,
): Promise<void> {
  await tx.query(
    `UPDATE escrow SET wiped_by = $3::uuid, wiped_at = $4
      WHERE workstation_id = $1::uuid AND volume = $2::uuid AND wiped_at IS NULL
        AND EXISTS (SELECT 1 FROM command c WHERE c.id = $3::uuid AND c.workstation_id = $1::uuid
                       AND c.verb = 'wipe' AND c.arguments ->> 'volume' = $2::text)`,
    [workstation, volume, command, new Date(receivedMs)],
  );
}
