/** An agent to which one guest says so many lines at once, of which its limit takes the first 200, until it is killed.
 *  `talker.ts STATE LINES`. */
import { openHere } from "./spool.ts";

const [state, lines] = process.argv.slice(2) as [string, string];
const { intake } = openHere(state, undefined, { linesPerSecond: 1, burstLines: 200 });
// the bucket gets nothing while they come
for (let line = 0; line < Number(lines); line++)
  intake.admits({ guest: "work" as never, via: "udp", from: "10.1.0.2" }, 100);
setInterval(() => {}, 1_000);
