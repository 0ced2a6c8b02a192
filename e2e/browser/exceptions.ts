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
import { stick } from "./sticks.ts";

const ANSWERS = ["allowed", "revoked", "refused", "image"] as const;
type Answer = (typeof ANSWERS)[number];
/** Where the scan of each stick is shown. */
export type ExceptionsSeeded = Record<Answer, string>;

const NORA = { id: "nora", email: "nora@example.org" };
const IMAGE = { bytes: 31_914_983_424, sha256: "5e".repeat(32) };

/** A workstation with a held stick for each name; answers where each was scanned, and how one is let pass. */
async function seedHeld<Name extends string>(
  pool: pg.Pool,
  key: ConsoleKey,
  of: { name: string; group: string },
  names: readonly Name[],
) {
  const workstation = (await seedWorkstation(pool, { ...of, labels: ["floor:3"] })) as WorkstationId;
  const seen = names.flatMap((name) =>
    stick(`Intenso Rainbow Line 16 GB (${name})`, false).map((each) =>
      name === "image" && each.kind === "usb.request"
        ? { ...each, body: { ...each.body, images: [IMAGE], manifest: "1d".repeat(32) } }
        : each,
    ),
  );
  const timed = seen.map((each, at) => ({ ...each, agoMs: (seen.length - at) * 61_000 }));
  const trail = await seedTrail(pool, workstation, timed);
  const { rows } = await pool.query<{ index: string }>("SELECT index FROM scan WHERE trail = $1 ORDER BY index", [
    trail,
  ]);
  const indexOf = (name: Name) => Number(rows[names.indexOf(name)]!.index);
  const allow = (name: Name, reason: string) =>
    inTransaction(pool, (tx) =>
      makeException(tx, key, { trail, index: indexOf(name), hours: 8, reason, by: "nora", now: new Date() }),
    );
  return { workstation, trail, indexOf, allow, pathOf: (name: Name) => `/usb/${trail}/${indexOf(name)}` };
}

/** One that waits for the signatures of the group's approvers; answers where its scan is shown. */
export async function seedSigning(pool: pg.Pool, key: ConsoleKey, group: string): Promise<string> {
  const { allow, pathOf } = await seedHeld(pool, key, { name: "desk-04", group }, ["to be signed"]);
  await allow("to be signed", "the slides of the guest who speaks today");
  return pathOf("to be signed");
}

export async function seedExceptions(pool: pg.Pool, key: ConsoleKey, group: string): Promise<ExceptionsSeeded> {
  const held = await seedHeld(pool, key, { name: "lab-23", group }, ANSWERS);
  const { workstation, trail, allow } = held;
  const recordConsole: RecordConsole = consoleRecorder(key);
  await allow("revoked", "the customer's plans, handed over at the desk");
  const [standing] = (await listExceptions(pool, new Date())).rows;
  await inTransaction(pool, (tx) =>
    revokeException(tx, key, {
      ...{ workstation, exception: standing!.exception as Sha256, now: new Date() },
      reason: "the customer says that it was not their stick: the one they gave lies in the drawer of the front desk",
    }),
  );
  await allow("allowed", "the contract that is signed today");
  await inTransaction(pool, async (tx) => {
    const reason = "nobody knows where it was found, and what is in the encrypted archive";
    const act = await refuseRequest(tx, { trail, index: held.indexOf("refused"), reason });
    await recordConsole(tx, actRecord(NORA, {}, act));
  });
  return Object.fromEntries(ANSWERS.map((answer) => [answer, held.pathOf(answer)])) as ExceptionsSeeded;
}
