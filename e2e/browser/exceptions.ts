/** Sticks that asked to pass on one workstation, with each answer that a page has to show. */
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type pg from "pg";
import { actRecord, type RecordConsole } from "../../apps/web/src/person/act.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { inTransaction } from "../../apps/web/src/transaction.ts";
import { makeException, refuseRequest } from "../../apps/web/src/usb/exception.ts";
import { listExceptions, revokeException } from "../../apps/web/src/usb/revoke.ts";
import { seedTrail, seedWorkstation } from "../../apps/web/test/seed.ts";
import { stick } from "./fleet.ts";

const ANSWERS = ["allowed", "revoked", "refused", "image"] as const;
type Answer = (typeof ANSWERS)[number];
/** Where the scan of each stick is shown. */
export type ExceptionsSeeded = Record<Answer, string>;

const NORA = { id: "nora", email: "nora@example.org" };
const IMAGE = { bytes: 31_914_983_424, sha256: "5e".repeat(32) };

export async function seedExceptions(pool: pg.Pool, key: ConsoleKey, group: string): Promise<ExceptionsSeeded> {
  const name = "lab-23";
  const workstation = (await seedWorkstation(pool, { name, group, labels: ["floor:3"] })) as WorkstationId;
  const seen = ANSWERS.flatMap((answer) =>
    stick(`Intenso Rainbow Line 16 GB (${answer})`, false).map((each) =>
      answer === "image" && each.kind === "usb.request"
        ? { ...each, body: { ...each.body, images: [IMAGE], manifest: "1d".repeat(32) } }
        : each,
    ),
  );
  const trail = await seedTrail(
    pool,
    workstation,
    seen.map((each, at) => ({ ...each, agoMs: (seen.length - at) * 61_000 })),
  );
  const { rows } = await pool.query<{ index: string }>("SELECT index FROM scan WHERE trail = $1 ORDER BY index", [
    trail,
  ]);
  const scans = Object.fromEntries(ANSWERS.map((answer, at) => [answer, Number(rows[at]!.index)])) as Record<
    Answer,
    number
  >;
  const recordConsole: RecordConsole = consoleRecorder(key);
  const allow = (answer: Answer, reason: string) =>
    inTransaction(pool, (tx) =>
      makeException(tx, key, { trail, index: scans[answer], hours: 8, reason, by: "nora", now: new Date() }),
    );
  await allow("revoked", "the customer's plans, handed over at the desk");
  const [standing] = await listExceptions(pool, new Date());
  await inTransaction(pool, (tx) =>
    revokeException(tx, key, {
      ...{ workstation, exception: standing!.exception as Sha256, now: new Date() },
      reason: "the customer says that it was not their stick: the one they gave lies in the drawer of the front desk",
    }),
  );
  await allow("allowed", "the contract that is signed today");
  await inTransaction(pool, async (tx) => {
    const reason = "nobody knows where it was found, and what is in the encrypted archive";
    const act = await refuseRequest(tx, { trail, index: scans.refused, reason });
    await recordConsole(tx, actRecord(NORA, {}, act));
  });
  return Object.fromEntries(ANSWERS.map((answer) => [answer, `/usb/${trail}/${scans[answer]}`])) as ExceptionsSeeded;
}
