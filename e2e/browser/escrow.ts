/** A volume as it was reported, and sealed recovery keys in each state that a page has to show. */
import type pg from "pg";

const VOLUME = "3d0c1a52-7f0e-4a53-9a61-5b1c7f2f8a10";
const BEFORE = "9b7e44d0-21aa-4c55-8a0d-0e6a3c1d2f77";
const [PRESENT, USED, LOST] = ["a", "b", "c"].map((letter) => letter.repeat(64));

const RECOVERY = { slot: 2, is: "escrowed", to: "0a1b2c3d", sealed: PRESENT };
/** As an agent reports a key that one before it marked by its name alone. */
const OLDER = { ...RECOVERY, is: "unknown", older: true };
const OLDER_FAULT =
  "/dev/vg0/guest: LUKS2, aes-xts-plain64, 2 keys; recovery key 2 was marked by an older agent, and whether it is the one that was sealed cannot be told: sallyport-agent disk recovery puts one in its place that can";

export async function seedEscrow(pool: pg.Pool, workstation: string, { isOlder = false } = {}): Promise<void> {
  const found = {
    volume: "/dev/vg0/guest",
    tpm: "present",
    content: {
      ...{
        is: "luks2",
        uuid: VOLUME,
        cipher: "aes-xts-plain64",
        sectorBytes: 4096,
        open: true,
        header: "d".repeat(64),
      },
      slots: [0, 2].map((slot) => ({ slot, kdf: "argon2id", keyBits: 512 })),
      tokens: [{ type: "sallyport-recovery", slots: [2] }],
      recovery: [isOlder ? OLDER : RECOVERY],
    },
  };
  await pool.query(
    "UPDATE reported SET document = jsonb_set(document, '{sections,disk}', $2::jsonb) WHERE workstation_id = $1",
    [
      workstation,
      JSON.stringify(
        isOlder
          ? { outcome: "not-applied", reason: OLDER_FAULT, found }
          : { outcome: "applied", reason: "/dev/vg0/guest: LUKS2, aes-xts-plain64, 2 keys", found },
      ),
    ],
  );
  const rows: [number, string, number, string, string, boolean][] = [
    [901, BEFORE, 1, LOST!, "40 days", true],
    [902, VOLUME, 1, USED!, "31 days", false],
    [903, VOLUME, 2, PRESENT!, "2 days", false],
  ];
  for (const [index, volume, slot, digest, age, isGone] of rows)
    await pool.query(
      `INSERT INTO escrow (trail, index, workstation_id, volume, slot, "to", digest, sealed, received, wiped_by, wiped_at, destroyed_at)
       SELECT t.num, $2, $1::uuid, $3::uuid, $4, '0a1b2c3d', $5, $6, now() - $7::interval, $8::uuid, $9, $9
         FROM trail t WHERE t.workstation_id = $1::uuid ORDER BY t.num DESC LIMIT 1`,
      [
        ...[workstation, index, volume, slot, digest, isGone ? null : "{}", age],
        ...(isGone ? [BEFORE, new Date(Date.now() - 32 * 86_400_000)] : [null, null]),
      ],
    );
}
