import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const PROGRAM = `
  import { runWhole } from ${JSON.stringify(new URL("./install.mjs", import.meta.url).href)};
  const { signal } = await runWhole("sh", ["-c", "sleep 600 & echo $! >&3; wait"], { stdio: ["ignore", "pipe", "pipe", 3] });
  process.stdout.write(String(signal));
`;

/** One that ended and that nobody has asked about yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

test("an installation that is stopped takes all that it started along, and says by which signal", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const out: string[] = [];
  child.stdout?.on("data", (bytes) => out.push(String(bytes)));
  const [bytes] = await once(child.stdio[3]!, "data");
  const deep = Number(String(bytes));
  expect(isAlive(deep)).toBe(true);
  child.kill("SIGTERM");
  await once(child, "exit");
  expect(out.join("")).toBe("SIGTERM");
  expect(isAlive(deep)).toBe(false);
});
