/** A reader that was ended already, and whose last words are still read, is told to end once more. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startReader } from "../../src/dom0/confine.ts";

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sallyport-ended-"));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

it("a stick that is pulled out after its reader was killed ends the reading, and not the agent", async () => {
  const [wrapper, pid, read] = ["wrapper", "pid", "read"].map((name) => join(work, name)) as [string, string, string];
  // stands for bubblewrap: it is killed, and somebody in another session holds on to what it said
  const script = `#!/bin/sh
case "$*" in
  *--help*) exit 0;;
  *"/node --version") exit 0;;
esac
setsid sh -c 'until [ -e "${read}" ]; do sleep 0.02; done' &
echo $$ > "${pid}"
kill -KILL $$
`;
  writeFileSync(wrapper, script);
  chmodSync(wrapper, 0o755);
  writeFileSync(join(work, "stick.img"), "a stick");
  const stop = new AbortController();
  const faults: Error[] = [];
  const caught = (error: Error) => void faults.push(error);
  process.prependListener("uncaughtException", caught);
  try {
    const { ended } = await startReader({
      path: join(work, "stick.img"),
      ...{ clamd: null, lanes: 1, hashImage: false, secondsMax: 60, wrapper, signal: stop.signal },
      bounds: { files: 10, fileMs: 1_000, archives: { bytes: 1, ratio: 1, count: 1, depth: 1 } },
    });
    const isGone = () => existsSync(pid) && !existsSync(`/proc/${readFileSync(pid, "utf8").trim()}`);
    await expect.poll(isGone, { interval: 5, timeout: 10_000 }).toBe(true);
    stop.abort();
    writeFileSync(read, "");
    expect(await ended).toBe("the reading was broken off");
    expect(faults).toEqual([]);
  } finally {
    process.off("uncaughtException", caught);
  }
});
