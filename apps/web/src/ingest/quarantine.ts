/** What came and did not verify → kept (bounded), counted as an alert, shown. */
import type { ClientBase } from "pg";
import type { Refused } from "./judge.ts";
import { projectedText } from "./prepare.ts";
import type { Alert } from "./project.ts";

/** Of what was refused, so much is kept. */
const BYTES_KEPT_MAX = 64 * 1024;
/** A flood keeps its first and its newest rows; how many there were is in the alert. */
const ROWS_KEPT_EACH = 100;

export async function keepRefused(
  tx: ClientBase,
  refused: readonly Refused[],
  clones: readonly string[],
): Promise<Alert[]> {
  if (refused.length === 0) return [];
  const workstations = new Set<string | undefined>();
  for (const { workstation, topic, code, reason, bytes } of refused) {
    workstations.add(workstation);
    const kept = Buffer.from(bytes.subarray(0, BYTES_KEPT_MAX));
    await tx.query(
      `INSERT INTO quarantine (workstation_id, topic, code, reason, size, bytes) VALUES ($1, $2, $3, $4, $5, $6)`,
      [workstation ?? null, projectedText(topic), code, projectedText(reason), bytes.length, kept],
    );
  }
  for (const workstation of workstations) await prune(tx, workstation);
  for (const workstation of clones)
    await tx.query(
      `UPDATE workstation SET state = 'quarantined', state_reason = 'two machines use its key: re-enrol the true one'
        WHERE id = $1 AND state = 'enrolled'`,
      [workstation],
    );
  return refused.map(alertOf);
}

async function prune(tx: ClientBase, workstation: string | undefined): Promise<void> {
  await tx.query(
    `DELETE FROM quarantine WHERE id IN (
       SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS first, row_number() OVER (ORDER BY id DESC) AS last
                         FROM quarantine WHERE workstation_id IS NOT DISTINCT FROM $1::uuid) ranked
        WHERE first > $2 AND last > $2)`,
    [workstation ?? null, ROWS_KEPT_EACH],
  );
}

const TITLES: Record<Refused["code"], string> = {
  malformed: "A message could not be read",
  hash: "A record's content is not the one that was signed",
  unknown: "A message under the name of no workstation",
  quarantined: "A quarantined workstation still sends",
  revoked: "A revoked workstation still sends",
  trail: "A trail that begins wrong or is another's",
  checkpoint: "A batch that the workstation's key did not sign",
  fork: "A trail contradicts what was committed",
  closed: "A message of a trail that was closed",
  clone: "Two machines use one workstation's key",
  topic: "A message on a topic that is not its sender's",
  store: "A batch that the database refused",
};

function alertOf({ code, workstation, topic, reason }: Refused): Alert {
  const day = new Date().toISOString().slice(0, 10);
  const key = `refused/${workstation ?? "unknown"}/${code}/${day}`;
  const severity = code === "clone" || code === "fork" ? "critical" : "error";
  const kind = code === "fork" || code === "clone" ? "trail.fork" : "ingest.refused";
  return {
    key,
    kind,
    severity,
    title: TITLES[code],
    reason: `${reason} (${topic})`,
    workstation: workstation ?? null,
    trail: null,
    index: null,
  };
}
