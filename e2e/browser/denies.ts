/** Things that are blocked everywhere, in each state that a page has to show, and how far they have come. */
import type { Denied } from "@sallyport/shared/policy/overlay.ts";
import type { Audience } from "@sallyport/shared/policy/statement.ts";
import { audienceKey } from "@sallyport/shared/policy/verify.ts";
import type pg from "pg";
import { addDeny, liftDeny } from "../../apps/web/src/deny/change.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";

const HOUR_MS = 3_600_000;

export async function seedDenies(pool: pg.Pool, key: ConsoleKey, group: string): Promise<void> {
  const { rows } = await pool.query<{ id: string }>("SELECT id FROM person LIMIT 1");
  const by = rows[0]!.id;
  const hash = (digits: string) => digits.repeat(32) as never;
  const fleet: Audience = { fleet: true };
  const told: [Denied, Audience, number, number, string][] = [
    [{ kind: "address", to: "198.51.100.0/24", protocol: "any" }, fleet, 60, 24, "scanners of a neighbour"],
    [{ kind: "file", sha256: hash("c4") }, fleet, 30, 48, "a macro that mails itself"],
    [{ kind: "file", sha256: hash("1f") }, fleet, 2, 72, "ransomware, seen at the other site this morning"],
    [
      { kind: "device", rule: 'block id 0951:1666 serial "60A44C413FAE"' },
      { group: group as never },
      1,
      24,
      "lost on the train",
    ],
    [
      { kind: "address", host: "update.example.net", protocol: "tcp", port: 443 },
      fleet,
      0.01,
      24,
      "beacon of the same family",
    ],
  ];
  const ids: string[] = [];
  const tx = await pool.connect();
  try {
    for (const [what, audience, hoursAgo, hours, reason] of told) {
      const now = new Date(Date.now() - hoursAgo * HOUR_MS);
      ids.push((await addDeny(tx, key, { audience, what, hours, reason, by, now })).id);
    }
    await liftDeny(tx, key, { id: ids[1]!, reason: "the signature has it by now", by, now: new Date() });
    // all but a few have taken the newest order
    for (const audience of [fleet, { group: group as never }]) {
      const name = audienceKey(audience);
      await tx.query(
        `UPDATE reported SET document = jsonb_set(document, '{overlays}', coalesce(document -> 'overlays', '[]') ||
           jsonb_build_object('audience', $1::text, 'order', o.newest, 'digest', repeat('0', 64), 'entries', 3,
             'usb', jsonb_build_object('outcome', 'applied'),
             'network', jsonb_build_object('outcome', CASE WHEN workstation_id::text < '8' THEN 'applied' ELSE 'not-applied' END)))
           FROM (SELECT max("order") AS newest FROM overlay WHERE audience = $1) o
          WHERE workstation_id::text < 'e'`,
        [name],
      );
    }
  } finally {
    tx.release();
  }
}
