/** Committed records → the tables that pages look things up in, within the same transaction. Lossy on purpose: what is
 *  proved is the record. */
import type { PolicyApplied } from "@sallyport/shared/record/agent.ts";
import type { DiskRecovery, DiskWiped } from "@sallyport/shared/record/disk.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { countFindings } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { ClientBase } from "pg";
import { type Raised, raise } from "../alert/raise.ts";
import { storeApplied } from "./applied.ts";
import { storeAnswer } from "./command.ts";
import { doomEscrow, storeEscrow } from "./escrow.ts";
import type { Append } from "./judge.ts";
import { projectedText } from "./prepare.ts";

export type Alert = Raised & { workstation: string | null; trail: number | null; index: number | null };

export async function project(tx: ClientBase, appends: readonly Append[], receivedMs: number): Promise<Alert[]> {
  const alerts: Alert[] = [];
  for (const { trail, lookedInto } of appends) {
    for (const row of lookedInto) {
      const from = { ...row, workstation: trail.workstation, trail: trail.num };
      const raised = raise(from);
      if (raised) alerts.push({ ...raised, workstation: trail.workstation, trail: trail.num, index: row.index });
      await storeAnswer(tx, from);
      if (row.kind === "policy.applied") await storeApplied(tx, from, row.body as PolicyApplied, receivedMs);
      if (row.kind === "disk.recovery") await storeEscrow(tx, from, row.body as DiskRecovery, receivedMs);
      if (row.kind === "disk.wiped") await doomEscrow(tx, from, row.body as DiskWiped, receivedMs);
      if (row.kind === "usb.scan") await storeScan(tx, from, row.body as ScanBody, receivedMs);
    }
  }
  return alerts;
}

type From = { workstation: string; trail: number; index: number; timeMs: number };

async function storeScan(tx: ClientBase, from: From, body: ScanBody, receivedMs: number): Promise<void> {
  const counts = countFindings(body.manifest);
  await tx.query(
    `INSERT INTO scan (trail, index, workstation_id, time, received, source, verdict, reason, image_sha256, image_size,
                       files, infected, unscannable, engine, definitions)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      from.trail,
      from.index,
      from.workstation,
      new Date(from.timeMs),
      new Date(receivedMs),
      body.source === undefined ? null : projectedText(body.source),
      body.verdict,
      projectedText(body.reason),
      body.image?.sha256 ?? null,
      body.image?.size ?? null,
      counts.files,
      counts.infected,
      counts.unscannable,
      body.scanner ? projectedText(body.scanner.engine) : null,
      body.scanner?.definitions == null ? null : projectedText(body.scanner.definitions),
    ],
  );
  const files = body.manifest;
  await tx.query(
    `INSERT INTO manifest_file (trail, index, position, path, size, md5, sha256, type, finding, detail)
     SELECT $1, $2, f.* FROM unnest($3::int[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[]) f`,
    [
      from.trail,
      from.index,
      files.map((_, at) => at),
      files.map((file) => projectedText(file.path ?? Buffer.from(file.pathBase64 ?? "", "base64").toString())),
      files.map((file) => file.size),
      files.map((file) => file.md5),
      files.map((file) => file.sha256),
      files.map((file) => projectedText(file.type)),
      files.map((file) => file.finding),
      files.map((file) => (file.detail === undefined ? null : projectedText(file.detail))),
    ],
  );
}

/** The same key again counts the alert up; a closed one is open again. */
export async function storeAlerts(tx: ClientBase, alerts: readonly Alert[]): Promise<void> {
  if (alerts.length === 0) return;
  const once = new Map<string, Alert & { count: number }>();
  for (const alert of alerts) once.set(alert.key, { ...alert, count: (once.get(alert.key)?.count ?? 0) + 1 });
  // in one order everywhere, so that two workers never wait for each other
  const rows = [...once.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  await tx.query(
    `INSERT INTO alert (key, workstation_id, trail, index, kind, severity, title, reason, count)
     SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::bigint[], $5::text[], $6::smallint[], $7::text[], $8::text[], $9::int[])
     ON CONFLICT (key) DO UPDATE SET count = alert.count + excluded.count, last_at = now(), reason = excluded.reason,
       state = CASE WHEN alert.state = 'closed' THEN 'open' ELSE alert.state END`,
    [
      rows.map(({ key }) => projectedText(key)),
      rows.map(({ workstation }) => workstation),
      rows.map(({ trail }) => trail),
      rows.map(({ index }) => index),
      rows.map(({ kind }) => kind),
      rows.map(({ severity }) => place(severity)),
      rows.map(({ title }) => projectedText(title)),
      rows.map(({ reason }) => projectedText(reason)),
      rows.map(({ count }) => count),
    ],
  );
  await tx.query("SELECT pg_notify('alert', '')");
}

const place = (severity: Severity): number => SEVERITIES.indexOf(severity);
