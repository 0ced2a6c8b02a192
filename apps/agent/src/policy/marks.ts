/** What must not be forgotten with a damaged policy file: orders, membership, the floor and what was revoked, kept in the
 *  spool as well. Pure. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Statement } from "@sallyport/shared/policy/statement.ts";
import { z } from "zod";
import { revokedOf } from "./exceptions.ts";
import { Kept } from "./kept.ts";

export const Marks = z.object({
  orders: Kept.shape.orders,
  floor: Kept.shape.floor,
  /** Under its order key, which names the workstation: after a new enrolment it counts no more. */
  memberships: Kept.shape.statements,
  /** A broker that held an exception back could bring it once more. */
  revoked: Kept.shape.revoked.unwrap().default([]),
});
export type Marks = z.infer<typeof Marks>;

/** Marks only rise: what was made good after damage may stand one below them. */
export function rise(workstation: WorkstationId, marks: Marks | undefined, kept: Kept): Marks {
  const orders = { ...marks?.orders };
  for (const [key, order] of Object.entries(kept.orders)) orders[key] = Math.max(orders[key] ?? 0, order);
  const key = `membership/workstation/${workstation}`;
  const newest = newer(marks?.memberships[key], kept.statements[key]);
  return {
    orders,
    // what was written beside the policy: the floor goes back where people and dom0's clock take it back
    floor: kept.floor,
    memberships: newest ? { [key]: newest } : {},
    revoked: revokedOf(kept.revoked ?? [], kept.floor),
  };
}

/** Whether more was forgotten than making good leaves open. */
export const isOlder = (kept: Kept, marks: Marks): boolean =>
  Object.entries(marks.orders).some(([key, mark]) => (kept.orders[key] ?? -1) < mark - 1);

/** Nothing older than the marks is taken again. A statement that was lost with the file has its own order left open,
 *  so that the console can send it once more. The file is written first, so that a kill leaves marks of before beside it:
 *  where it is not `isLost` (damaged, or older), its floor is the newer one. */
export function makeGood(workstation: WorkstationId, kept: Kept, marks: Marks, isLost: boolean): Kept {
  const key = `membership/workstation/${workstation}`;
  const statements = { ...kept.statements };
  const membership = newer(statements[key], marks.memberships[key]);
  if (membership) statements[key] = membership;
  const orders = { ...kept.orders };
  for (const [each, mark] of Object.entries(marks.orders)) {
    const least = orderOf(keptOf(statements, each)) >= mark ? mark : Math.max(0, mark - 1);
    orders[each] = Math.max(orders[each] ?? 0, least);
  }
  const floor = isLost ? Math.max(kept.floor, marks.floor) : kept.floor;
  const revoked = withForgotten(kept.revoked ?? [], marks.revoked, floor);
  return { ...kept, statements, orders, floor, ...(revoked.length > 0 && { revoked }) };
}

type Revoked = Marks["revoked"];

/** As it stands where nothing was forgotten, what has ended as well: what a full disk did not take goes on from this very text. */
function withForgotten(own: Revoked, marked: Revoked, floor: number): Revoked {
  const knows = ({ exception, until }: Revoked[number]) =>
    own.some((each) => each.exception === exception && Date.parse(each.until) >= Date.parse(until));
  const forgotten = marked.filter((each) => Date.parse(each.until) > floor && !knows(each));
  return forgotten.length === 0 ? own : revokedOf([...own, ...forgotten], floor);
}

type Held = Kept["statements"][string];

/** The newest of a series: under its own name, or under the one that keys which sign alone share. */
function keptOf(statements: Kept["statements"], series: string): Held | undefined {
  const shared = series.replace(/\/[0-9a-f]{8}$/, "");
  return shared === series ? statements[series] : (statements[`${shared}/alone`] ?? statements[shared]);
}

const newer = (a: Held | undefined, b: Held | undefined): Held | undefined => (orderOf(b) > orderOf(a) ? b : a);

const orderOf = (held: Held | undefined): number => (held ? Statement.parse(JSON.parse(held.signed.text)).order : 0);
