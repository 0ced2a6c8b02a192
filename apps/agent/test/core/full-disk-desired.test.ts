/** What the console wants of a machine whose disk is full and must be on disk first: it waits for room, and for no one who
 *  says it again. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { address, machine, overlay, revision } from "./orders-machine.ts";
import { fill, mountSmall } from "./small-disk.ts";

let volume: string | undefined;
let filler: string;
beforeEach(() => {
  volume = mountSmall(6);
  filler = join(volume ?? "", "filler");
});
afterEach(() => {
  if (!volume) return;
  execFileSync("umount", ["-l", volume], { stdio: "ignore" });
  rmSync(volume, { recursive: true });
});

it("a policy that was turned away is taken at the first look that finds room, and the newest alone", async (test) => {
  if (!volume) return test.skip();
  const { start } = machine(volume);
  const agent = await start();
  agent.desired(revision(1));
  fill(filler);
  for (const lingerMs of [2, 3]) expect(() => agent.desired(revision(lingerMs))).toThrow("ENOSPC");
  agent.overlay(overlay([address(1)]));
  agent.look();
  const lingerMs = () => agent.policy.inForce?.policy.log.lingerMs;
  expect([lingerMs(), agent.policy.turnedAway]).toEqual([1, expect.stringContaining("ENOSPC")]);
  rmSync(filler);
  agent.look();
  expect([lingerMs(), agent.policy.turnedAway]).toEqual([3, undefined]);
  expect(agent.policy.denied()).toHaveLength(1);
  expect(agent.trail().filter(({ kind }) => kind === "policy.refused")).toEqual([]);
  await agent.kill();
});

it("one that is wanted no more is not taken when there is room", async (test) => {
  if (!volume) return test.skip();
  const { start } = machine(volume);
  const agent = await start();
  const first = revision(1);
  agent.desired(first);
  fill(filler);
  expect(() => agent.desired(revision(2))).toThrow("ENOSPC");
  // a rollout that was taken back
  agent.desired(first);
  rmSync(filler);
  agent.look();
  expect(agent.policy.inForce?.policy.log.lingerMs).toBe(1);
  await agent.kill();
});
