/** A sealed recovery key → its row in the inventory; a wiped volume → the mark that its rows are to be destroyed
 *  (escrow/destroy.ts). Within the transaction that commits the record. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { sealedDigest } from "@sallyport/shared/disk/sealed.ts";
import type { DiskRecovery, DiskWiped } from "@sallyport/shared/record/disk.ts";
import { hash } from "../trail/crypto.ts";
import type { Asked } from "../trail/ranges.ts";

type From = { workstation: string; trail: number; index: number };

/** What comes again for a volume that was wiped, on a trail that was begun anew, is marked as that; so is the very key that
 *  was destroyed, by whomever it comes. False where the record has its row already. */
export async function storeEscrow(
  tx: Asked,
  { workstation, trail, index }: From,
  { sealed }: DiskRecovery,
  receivedMs: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO escrow (trail, index, workstation_id, volume, slot, "to", digest, sealed, received, wiped_by, wiped_at)
     SELECT $1, $2, $3::uuid, $4::uuid, $5, $6, $7::bpchar, $8, $9, w.wiped_by, w.wiped_at
       FROM (SELECT 1) one LEFT JOIN LATERAL (
              SELECT e.wiped_by, e.wiped_at FROM escrow e
               WHERE e.volume = $4::uuid AND (e.workstation_id = $3::uuid OR e.digest = $7::bpchar) AND e.wiped_at IS NOT NULL
               LIMIT 1) w ON true
     ON CONFLICT (trail, index) DO NOTHING`,
    [
      ...[trail, index, workstation, sealed.volume, sealed.slot, sealed.to, sealedDigest(hash, sealed)],
      ...[canonicalText(sealed), new Date(receivedMs)],
    ],
  );
  return rowCount === 1;
}

/** Only where this console ordered it: a workstation that says so of itself destroys nothing here. The same machine may have
 *  told its keys before as another workstation, until it was enrolled again: those that it told as both go as well. */
export async function doomEscrow(
  tx: Asked,
  { workstation }: From,
  { command, volume }: DiskWiped,
  receivedMs: number,
): Promise<void> {
  await tx.query(
    `UPDATE escrow SET wiped_by = $3::uuid, wiped_at = $4
      WHERE volume = $2::uuid AND wiped_at IS NULL
        AND (workstation_id = $1::uuid
             OR digest IN (SELECT e.digest FROM escrow e WHERE e.workstation_id = $1::uuid AND e.volume = $2::uuid))
        AND EXISTS (SELECT 1 FROM command c WHERE c.id = $3::uuid AND c.workstation_id = $1::uuid
                       AND c.verb = 'wipe' AND c.arguments ->> 'volume' = $2::text)`,
    [workstation, volume, command, new Date(receivedMs)],
  );
}
