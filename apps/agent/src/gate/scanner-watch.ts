/** Whether one and the same clamd was there from the first question of a reading to its last: one that is told to end (a
 *  restart, an upgrade of its package) breaks off what it scans and says OK of it. A session of our own beside the reader's
 *  shows it: from then on clamd takes no command more. */
import { connect } from "node:net";

/** clamd hangs up on who is silent for longer than its ReadTimeout. */
const EVERY_MS = 500;
/** Of one that is loading its definitions. What it takes on later is asked later too: the order is that of the connections. */
const FIRST_MS = 5_000;

/** `lastMs`: how long it may take to the last answer, as it may be loading its definitions; `relies`: whether that matters to
 *  what came out, else nobody waits for it. */
export async function underOneScanner<T>(
  path: string,
  lastMs: number,
  work: () => Promise<T>,
  relies: (done: T) => boolean,
): Promise<{ done: T; stayed: boolean }> {
  const socket = connect(path);
  let asked = 0;
  let heard = 0;
  let wake = () => {};
  socket.on("data", (bytes: Buffer) => {
    for (const byte of bytes) if (byte === 0) heard += 1;
    wake();
  });
  socket.on("error", () => {}).on("close", () => wake());
  const ping = () => void socket.write(`${asked++ === 0 ? "zIDSESSION\0" : ""}zPING\0`);
  const answered = async (timeMs: number): Promise<boolean> => {
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      wake();
    }, timeMs);
    while (heard < asked && !socket.destroyed && !isLate)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    clearTimeout(late);
    return heard === asked && !socket.destroyed;
  };
  const every = setInterval(ping, EVERY_MS);
  try {
    ping();
    await answered(FIRST_MS);
    const done = await work();
    if (!relies(done)) return { done, stayed: true };
    clearInterval(every);
    ping();
    return { done, stayed: await answered(lastMs) };
  } finally {
    clearInterval(every);
    socket.destroy();
  }
}
