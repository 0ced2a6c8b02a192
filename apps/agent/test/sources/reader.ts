/** An agent's reading half alone: follows an EVE file into a real spool until it is killed, a dot for each parcel that is
 *  synced. `reader.ts STATE FILE`. */
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import type { Emit } from "../../src/sources/source.ts";
import { openHere } from "./spool.ts";

const [state, path] = process.argv.slice(2) as [string, string];
const { outlet } = openHere(state);
const emit: Emit = async (parcel) => {
  const answer = await outlet.emit(parcel);
  process.stdout.write(".");
  return answer;
};
await eveFile({ path, dom0: realDom0, graceMs: 50 }).run({ ...outlet, emit }, new AbortController().signal);
