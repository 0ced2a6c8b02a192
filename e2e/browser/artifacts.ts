/** Artifacts as people send them, for pages and pictures. */
import { randomBytes } from "node:crypto";
import type { Pool } from "pg";

const ROWS = [
  ["suricata-rules", "site.rules", 18_204, { rules: 61 }],
  ["suricata-rules", "emerging.rules.tar.gz", 29_412_880, { rules: 41_872, files: 58 }],
  [
    "clamav-definitions",
    "main.cvd",
    170_479_789,
    { version: "62", made: "2021-09-16T12:32:00.000Z", signatures: 6_647_427 },
  ],
  ["clamav-definitions", "site.hdb", 5_120, { signatures: 64 }],
  [
    "clamav-definitions",
    "daily.cvd",
    62_110_224,
    { version: "27499", made: "2026-11-22T08:25:00.000Z", signatures: 2_078_120 },
  ],
  [
    "clamav-definitions",
    "daily.cvd",
    62_113_501,
    { version: "27500", made: "2026-11-23T08:25:00.000Z", signatures: 2_079_004 },
  ],
] as const;

export async function seedArtifacts(pool: Pool, by: string): Promise<string[]> {
  const sums = ROWS.map(() => randomBytes(32).toString("hex"));
  for (const [at, [kind, name, bytes, facts]] of ROWS.entries())
    await pool.query(
      `INSERT INTO artifact (sha256, kind, name, bytes, facts, added_by, added_at)
       VALUES ($1, $2, $3, $4, $5, $6, now() - make_interval(hours => $7))`,
      [sums[at], kind, name, bytes, facts, by, (ROWS.length - at) * 5],
    );
  return sums;
}
