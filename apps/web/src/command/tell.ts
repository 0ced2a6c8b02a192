/** Telling many workstations one thing: each by a statement and a record of its own, in a transaction of its own. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { type By, withRecord } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import { Refusal } from "../trpc/errors.ts";
import type { Wiring } from "../wiring.ts";
import { ask, toldAct } from "./ask.ts";

export type Parts = Pick<Wiring, "pool" | "recordConsole" | "consoleKey">;
/** `name` is what the person saw; `arguments` are added to what all are told. */
export type Target = { workstation: WorkstationId; name: string; arguments?: Record<string, string> | undefined };
export type Order = { verb: Verb; arguments: Record<string, string>; minutes: number; reason: string };
export type Answer = { workstation: string; name: string } & (
  | { command: string; waits: boolean }
  | { refused: string }
);

const BROKEN = "The console failed at this one. Look at its page whether it was told; those below it were not.";
const LEFT = "Not told: the console failed at one above.";

/** In their order. One that says no does not stop the others; where the console itself fails it stops there, and who was
 *  told before is still answered. @throws what it failed at, where nobody was told */
export async function tellEach(
  { pool, recordConsole, consoleKey }: Parts,
  by: By,
  origin: Origin,
  order: Order,
  targets: readonly Target[],
): Promise<Answer[]> {
  const tell = async ({ workstation, name, arguments: own }: Target): Promise<Answer> => {
    const told = { ...order, workstation, name, arguments: { ...order.arguments, ...own } };
    try {
      const done = await withRecord(pool, recordConsole, by, origin, async (tx) => {
        const value = await ask(tx, consoleKey, { ...told, by: by.id, now: new Date() });
        return { act: toldAct(told, value), value };
      });
      return { workstation, name, command: done.id, waits: done.waiting !== undefined };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { workstation, name, refused: error.message };
    }
  };
  const answers: Answer[] = [];
  for (const [at, target] of targets.entries())
    try {
      answers.push(await tell(target));
    } catch (error) {
      if (!answers.some((each) => "command" in each)) throw error;
      console.error(JSON.stringify({ event: "command.failed", reason: String(error) }));
      const left = targets.slice(at).map(({ workstation, name }, after) => ({
        ...{ workstation, name },
        refused: after === 0 ? BROKEN : LEFT,
      }));
      return [...answers, ...left];
    }
  return answers;
}
