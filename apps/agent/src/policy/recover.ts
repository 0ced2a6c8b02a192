/** state folder → what is believed at the start. A damaged file is told, put aside and made good; nothing it forgot is
 *  taken for new. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import { audienceKey } from "@sallyport/shared/policy/verify.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { malformed } from "../sources/malformed.ts";
import { membershipKey } from "./believe.ts";
import { type Damage, findKept, type Kept, keptPath, putAside, writeKept } from "./kept.ts";
import { isOlder, Marks, makeGood, rise } from "./marks.ts";

/** The spool's own small store. */
export type Memory = { remember(key: string, value: Json): void; remembered(key: string): Json | undefined };
export type RecoverParts = {
  state: string;
  workstation: WorkstationId;
  /** As it was enrolled: who may sign before the console has sent anything, and after all else is lost. */
  membership?: SignedStatement;
  memory: Memory;
  /** On disk when it returns: told before the file is put aside, so that no kill falls between. */
  tell: (observation: Observation) => void;
  now: () => number;
};

const KEY = "policy-marks";

function marksIn(memory: Memory): Marks | undefined {
  const read = Marks.safeParse(memory.remembered(KEY));
  return read.success ? read.data : undefined;
}

export const keepMarks = (memory: Memory, workstation: WorkstationId, kept: Kept): void =>
  memory.remember(KEY, rise(workstation, marksIn(memory), kept));

export function recoverKept({ state, workstation, membership, memory, tell, now }: RecoverParts): Kept {
  const found = findKept(state);
  const marks = marksIn(memory);
  const older: Damage | undefined =
    marks && isOlder(found.kept, marks)
      ? { why: "it is gone, or older than what was taken already", bytes: new Uint8Array() }
      : undefined;
  const damage = found.damage ?? older;
  const newest = older && found.copy && marks && !isOlder(found.copy, marks) ? found.copy : found.kept;
  const made = marks ? makeGood(workstation, newest, marks, damage !== undefined) : newest;
  const kept = membership ? asEnrolled(workstation, made, membership, now()) : made;
  if (damage) {
    const then = Object.values(newest.statements).length > 0 ? "the newest copy holds" : "the strict defaults hold";
    const reason = `The file of what this workstation believes is damaged; ${then} until the console sends it again: ${damage.why}`;
    const unread = { source: "policy", from: keptPath(state), reason, bytes: damage.bytes };
    tell({ ...malformed(unread, now()), severity: "critical" });
    putAside(state, now());
  }
  if (damage || kept !== made || (found.isWritten && !found.isCopied)) {
    try {
      writeKept(state, kept);
    } catch (error) {
      // a whole file holds on a disk that takes nothing: the next write, or the next start, makes its copy the same
      if (damage) throw error;
    }
  }
  try {
    keepMarks(memory, workstation, kept);
  } catch (error) {
    // what is whole on disk holds as after a kill between the two: its marks rise with what is written next
    if (damage) throw error;
  }
  return kept;
}

/** The membership that enrolment brought holds from the first moment: a console cannot hold it back and sign alone. */
export function asEnrolled(workstation: WorkstationId, kept: Kept, signed: SignedStatement, now: number): Kept {
  const key = membershipKey({ workstation });
  const statement = Statement.parse(JSON.parse(signed.text));
  if (kept.statements[key] || audienceKey(statement.audience) !== `workstation/${workstation}`) return kept;
  return {
    ...kept,
    statements: { ...kept.statements, [key]: { signed, taken: new Date(now).toISOString() } },
    orders: { ...kept.orders, [key]: Math.max(kept.orders[key] ?? 0, statement.order) },
    floor: Math.max(kept.floor, Date.parse(statement.issued)),
  };
}
