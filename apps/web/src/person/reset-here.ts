/** The last way in: whoever may read the console's key on its machine may reset an owner's sign-in. Run by
 *  `sallyport people reset`; prints the link's code, and is recorded like every other act. */
import { join } from "node:path";
import pg from "pg";
import { readConsoleKey } from "../trail/key.ts";
import { consoleRecorder } from "../trail/recorder.ts";
import { withRecord } from "./act.ts";
import { resetSignIn } from "./reset.ts";
import { findPerson, lockPerson, setDisabled } from "./store.ts";

const HERE = { id: "console-machine", email: "somebody with a shell on the console's machine" };

/** Undefined where nobody has that address. Somebody who was switched off is switched on. */
export async function resetHere(pool: pg.Pool, stateFolder: string, email: string): Promise<string | undefined> {
  const id = await findPerson(pool, email);
  if (id === undefined) return undefined;
  const record = consoleRecorder(readConsoleKey(join(stateFolder, "keys", "console.key")));
  return withRecord(pool, record, HERE, {}, async (tx) => {
    const person = await lockPerson(tx, id);
    const { code, act } = await resetSignIn(tx, person, HERE.id);
    if (!person.disabled) return { act, value: code };
    await setDisabled(tx, id, false);
    const switched = {
      before: { ...(act.before as object), disabled: true },
      after: { ...(act.after as object), disabled: false },
    };
    return { act: { ...act, ...switched, text: `${act.text} and switched it on` }, value: code };
  });
}

if (import.meta.main) {
  const { DATABASE_URL, SALLYPORT_STATE } = process.env;
  const email = process.argv[2];
  if (!DATABASE_URL || !SALLYPORT_STATE || !email)
    throw new Error("DATABASE_URL, SALLYPORT_STATE and an e-mail address must be given.");
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 1 });
  try {
    console.log(JSON.stringify({ code: (await resetHere(pool, SALLYPORT_STATE, email)) ?? null }));
  } finally {
    await pool.end();
  }
}
