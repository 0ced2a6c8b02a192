/** /proc → whether the clamd that runs goes by its configuration as it lies there: it reads it when it starts, and then no
 *  more, nor when it reloads its definitions. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";

export type ClamdPlace = { conf: string; socket: string | null };

const NAME = "clamd";
/** What clamd reads where it is told no other. */
const CONF_DEFAULT = "/etc/clamav/clamd.conf";
/** The kernel's clock for starts, to programs, on every machine. */
const TICK_MS = 10;
/** Both clocks are coarse, and clamd opens the file a little after it has started. */
const SLACK_MS = 50;

/** Why its limits may be others than the file's, in words for people; null where the file is older than clamd. */
export async function changedSinceStart({ conf, socket }: ClamdPlace, proc = "/proc"): Promise<string | null> {
  // a rename or a copy that keeps the old time is a change as well
  const changed = await changedAt(conf);
  if (changed === null) return null;
  // in another name space it cannot be seen; its socket is as old as it is
  const started = (await startedAt(conf, proc)) ?? (socket === null ? null : await changedAt(socket));
  if (started === null || changed <= started + SLACK_MS) return null;
  return `${conf} was changed after clamd had started, which goes by what it said before; start clamd again`;
}

const changedAt = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ ctimeMs }) => ctimeMs,
    () => null,
  );

/** Milliseconds since 1970, of the eldest that was started with that file; null: none is seen. */
async function startedAt(conf: string, proc: string): Promise<number | null> {
  const wanted = await real(conf);
  const starts: number[] = [];
  for (const id of await readdir(proc).catch(() => [])) {
    if (!/^\d+$/.test(id)) continue;
    try {
      if ((await readFile(`${proc}/${id}/comm`, "utf8")).trim() !== NAME) continue;
      const words = (await readFile(`${proc}/${id}/cmdline`, "utf8")).split("\0");
      if ((await real(confOf(words))) !== wanted) continue;
      // the name stands in brackets and may hold anything; the start is the 22nd field
      const fields = (await readFile(`${proc}/${id}/stat`, "utf8")).replace(/^.*\)/s, "").trim().split(" ");
      const uptimeMs = Number.parseFloat(await readFile(`${proc}/uptime`, "utf8")) * 1000;
      const at = Date.now() - uptimeMs + Number(fields[19]) * TICK_MS;
      if (Number.isFinite(at)) starts.push(at);
    } catch {
      // it has ended meanwhile
    }
  }
  return starts.length === 0 ? null : Math.min(...starts);
}

const real = (path: string): Promise<string> => realpath(path).catch(() => path);

function confOf(words: readonly string[]): string {
  for (const [index, word] of words.entries()) {
    if (word === "-c" || word === "--config-file") return words[index + 1] ?? CONF_DEFAULT;
    const [, named] = /^(?:-c|--config-file=)(.+)$/s.exec(word) ?? [];
    if (named !== undefined && !named.startsWith("-")) return named;
  }
  return CONF_DEFAULT;
}
