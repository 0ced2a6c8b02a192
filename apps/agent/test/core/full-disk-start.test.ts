/** An agent that ended on a full disk and starts on it: what holds goes on, and nothing of its start needs room. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { enrolMachine, stop, stopAll, until } from "./agent.ts";
import { startConsole } from "./console.ts";
import { address, at, command, overlay } from "./orders-machine.ts";
import { fill, mountSmall } from "./small-disk.ts";

const volume = mountSmall(6);
const runtime = mkdtempSync(join(tmpdir(), "sallyport-runtime-"));
afterEach(() => {
  stopAll();
  if (volume) execFileSync("umount", ["-l", volume], { stdio: "ignore" });
  if (volume) rmSync(volume, { recursive: true });
  rmSync(runtime, { recursive: true });
});

it.skipIf(!volume)("what it ended with is in force again, whatever room its end left to others", async () => {
  const console = await startConsole();
  const elsewhere = process.env.TMPDIR;
  process.env.TMPDIR = volume;
  const own = await enrolMachine(console);
  if (elsewhere === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = elsewhere;
  const { workstation } = own;
  const reported = () => console.reported.get(workstation);
  // what a life before it wrote has its place, so that this one ends in good order on the fullest disk
  const first = own.start();
  await until("it reports", () => reported() !== undefined, own);
  await stop(first);
  console.reported.delete(workstation);
  const agent = own.start({ RUNTIME_DIRECTORY: runtime });
  await until("it reports", () => reported() !== undefined, own);
  fill(join(volume!, "filler"));
  const denied = overlay([address(9)], console.signer);
  console.sendOverlay(workstation, denied);
  const holds = () => reported()?.overlays?.[0]?.digest === JSON.parse(denied.text).digest;
  await until("it is denied", holds, own);
  console.sendCommand(workstation, command("isolate", { until: at(1) }, console.signer, at(1), workstation));
  await until("it was carried out", () => own.log.some((line) => line.includes("command.ended")), own);
  await stop(agent);
  own.log.length = 0;
  fill(join(volume!, "filler"));
  console.reported.delete(workstation);
  const again = own.start({ RUNTIME_DIRECTORY: runtime });
  await until("it reports again, or ended", () => reported() !== undefined || again.exitCode !== null, own);
  expect(own.log.filter((line) => !line.startsWith("{"))).toEqual([]);
  expect(again.exitCode).toBeNull();
  await until("it is denied", holds, own);
  expect(reported()!.sources.orders).toMatchObject({ state: "failed" });
  rmSync(join(volume!, "filler"));
  await until("the cut is told", () => console.records("command.done").length === 1, own);
  await stop(again);
  await console.stop();
});
