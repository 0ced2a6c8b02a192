/** What is cut off or denied on a machine whose disk is full: in force at once, written and told once there is room, and
 *  nothing loosened meanwhile. A real file system under policy, journal, spool and the kept ruleset. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { enrolMachine, stop, stopAll, until } from "./agent.ts";
import { startConsole } from "./console.ts";
import { address, at, command, HOUR_MS, machine, newest, overlay, untilOf } from "./orders-machine.ts";
import { fill, mountSmall } from "./small-disk.ts";

let volume: string | undefined;
let filler: string;
beforeEach(() => {
  volume = mountSmall(6);
  filler = join(volume ?? "", "filler");
});
afterEach(() => {
  stopAll();
  if (!volume) return;
  execFileSync("umount", ["-l", volume], { stdio: "ignore" });
  rmSync(volume, { recursive: true });
});
const mayMount = (() => {
  const tried = mountSmall(1);
  if (tried) execFileSync("umount", ["-l", tried], { stdio: "ignore" });
  return tried !== undefined;
})();

describe.skipIf(!mayMount)("on a full disk", () => {
  const kinds = (agent: { trail(): { kind: string }[] }, ...of: string[]) =>
    agent.trail().flatMap(({ kind }) => (of.includes(kind) ? [kind] : []));
  const onDisk = (path: string) => readFileSync(path, "utf8");
  /** `open`: the table before that. */
  async function toldToCut() {
    const { start, table } = machine(volume!);
    const agent = await start();
    await agent.settleNetwork();
    const open = table();
    fill(filler);
    const isolate = command("isolate", { until: at(1) });
    agent.command(isolate);
    return { start, table, agent, open, isolate };
  }

  it("a cut is in force at once, and written and told once there is room", async () => {
    const { start, table, agent, open, isolate } = await toldToCut();
    await until("the guests are cut off", () => table() !== open && table().includes("goto drop-otherwise-out"));
    expect(agent.commands.isolation?.until).toBe(untilOf(isolate));
    expect(agent.commands.unkept).toContain("ENOSPC");
    expect(agent.policy.unkept).toContain("ENOSPC");
    expect(await agent.settleNetwork()).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining("It is not on disk yet"),
    });
    // sent again until it is answered
    agent.command(isolate);
    expect(kinds(agent, "command.received", "command.done", "policy.refused")).toEqual([]);
    rmSync(filler);
    await until("it is told", () => kinds(agent, "command.done").length === 1);
    agent.look();
    await agent.settleNetwork();
    expect(kinds(agent, "command.received", "command.done")).toEqual(["command.received", "command.done"]);
    expect(agent.trail().at(-1)).toMatchObject({ body: { verb: "isolate", outcome: "done" } });
    expect([agent.commands.unkept, agent.policy.unkept]).toEqual([undefined, undefined]);
    expect(onDisk(join(volume!, "network.nft"))).toContain("goto drop-otherwise-out");
    await agent.kill();
    const again = await start();
    expect(again.commands.isolation?.until).toBe(untilOf(isolate));
    // known by what was written
    again.command(isolate);
    expect(kinds(again, "command.received", "policy.refused")).toEqual(["command.received"]);
    await again.kill();
  });

  it("a cut that a kill took with it is taken anew when it comes again", async () => {
    const { start, table, agent, open, isolate } = await toldToCut();
    await until("the guests are cut off", () => table() !== open);
    await agent.kill();
    // nobody has loosened what stands in the kernel
    expect(table()).toContain("goto drop-otherwise-out");
    const again = await start();
    again.command(isolate);
    await until("it is cut again", () => again.commands.isolation !== undefined);
    await again.settleNetwork();
    expect(table()).toContain("goto drop-otherwise-out");
    rmSync(filler);
    await until("it is told", () => kinds(again, "command.done").length === 1);
    expect(kinds(again, "command.received", "command.done")).toEqual(["command.received", "command.done"]);
    await again.kill();
  });

  it("where the agent has a folder that is no disk, what holds goes on over a kill, before the console is heard", async () => {
    const runtime = mkdtempSync(join(tmpdir(), "sallyport-runtime-"));
    const { start, table } = machine(volume!, runtime);
    const agent = await start();
    agent.overlay(overlay([address(1)]));
    await agent.settleNetwork();
    fill(filler);
    const isolate = command("isolate", { until: at(1) });
    agent.command(isolate);
    agent.overlay(overlay([address(2)]));
    await until("the guests are cut off", () => table().includes("goto drop-otherwise-out"));
    await agent.kill();
    const again = await start();
    expect(again.commands.isolation?.until).toBe(untilOf(isolate));
    expect(again.policy.denied().map(({ id }) => Number(id))).toEqual([1, 2]);
    await again.settleNetwork();
    expect(table()).toContain("goto drop-otherwise-out");
    expect(() => again.command(command("release", {}))).toThrow("ENOSPC");
    again.command(isolate);
    rmSync(filler);
    await until("it is told", () => kinds(again, "command.done").length === 1);
    again.look();
    expect(kinds(again, "command.received", "command.done")).toEqual(["command.received", "command.done"]);
    expect(again.policy.denied().map(({ id }) => Number(id))).toEqual([2]);
    expect(readdirSync(runtime)).toEqual([]);
    again.command(command("release", {}));
    await until("it is released", () => kinds(again, "command.done").length === 2);
    expect(again.commands.isolation).toBeUndefined();
    await again.kill();
    const last = await start();
    expect(last.commands.isolation).toBeUndefined();
    await last.kill();
    rmSync(runtime, { recursive: true });
  });

  it("a release waits for room, and one that was ordered before the cut does not end it", async () => {
    const { start } = machine(volume!);
    const agent = await start();
    const first = command("isolate", { until: at(0.5) });
    agent.command(first);
    await until("it is told", () => kinds(agent, "command.done").length === 1);
    fill(filler);
    const release = command("release", {});
    expect(() => agent.command(release)).toThrow("ENOSPC");
    expect(agent.commands.isolation?.until).toBe(untilOf(first));
    const second = command("isolate", { until: at(1) });
    agent.command(second);
    await until("it is cut for longer", () => agent.commands.isolation?.until === untilOf(second));
    expect(() => agent.command(release)).toThrow("ENOSPC");
    expect(agent.commands.isolation?.until).toBe(untilOf(second));
    rmSync(filler);
    agent.command(release);
    await until("all are told", () => kinds(agent, "command.done").length === 3);
    expect(agent.trail().filter(({ kind }) => kind === "command.done")).toMatchObject([
      { body: { verb: "isolate", outcome: "done" } },
      { body: { verb: "isolate", outcome: "done" } },
      { body: { verb: "release", outcome: "failed", reason: expect.stringContaining("ordered after it holds") } },
    ]);
    expect(agent.commands.isolation?.until).toBe(untilOf(second));
    agent.command(command("release", {}));
    await until("the new release is told", () => kinds(agent, "command.done").length === 4);
    expect(agent.commands.isolation).toBeUndefined();
    await agent.kill();
  });

  it.each([
    ["before there is room", false],
    ["once there was room for the cut", true],
  ])("such a release is known as such over a kill %s", async (_name, isRoom) => {
    const runtime = mkdtempSync(join(tmpdir(), "sallyport-runtime-"));
    const { start } = machine(volume!, runtime);
    const agent = await start();
    fill(filler);
    const release = command("release", {});
    expect(() => agent.command(release)).toThrow("ENOSPC");
    const isolate = command("isolate", { until: at(1) });
    agent.command(isolate);
    await until("it is cut", () => agent.commands.isolation !== undefined);
    if (isRoom) rmSync(filler);
    if (isRoom) await until("it is told", () => kinds(agent, "command.done").length === 1);
    await agent.kill();
    const again = await start();
    if (!isRoom) rmSync(filler);
    again.command(release);
    await until("both are told", () => kinds(again, "command.done").length === 2);
    expect(again.trail().filter(({ kind }) => kind === "command.done")).toMatchObject([
      { body: { verb: "isolate", outcome: "done" } },
      { body: { verb: "release", outcome: "failed", reason: expect.stringContaining("ordered after it holds") } },
    ]);
    expect(again.commands.isolation?.until).toBe(untilOf(isolate));
    await again.kill();
    rmSync(runtime, { recursive: true });
  });

  it("what is denied is denied at once, and written and told once there is room", async () => {
    const { start, table } = machine(volume!);
    const agent = await start();
    await agent.settleNetwork();
    fill(filler);
    const deny = overlay([address(7)]);
    agent.overlay(deny);
    expect(agent.policy.denied().map(({ id }) => Number(id))).toEqual([7]);
    expect(await agent.settleNetwork()).toMatchObject({ outcome: "applied" });
    expect(table()).toContain("198.51.100.7");
    for (const _round of [1, 2, 3]) agent.look();
    agent.overlay(deny);
    expect(agent.policy.unkept).toContain("ENOSPC");
    expect(kinds(agent, "policy.overlay", "policy.refused")).toEqual([]);
    rmSync(filler);
    await until("it is told", () => {
      agent.look();
      return kinds(agent, "policy.overlay").length > 0;
    });
    expect(agent.policy.unkept).toBeUndefined();
    await agent.kill();
    const again = await start();
    expect(again.policy.denied().map(({ id }) => Number(id))).toEqual([7]);
    again.look();
    expect(kinds(again, "policy.overlay")).toEqual(["policy.overlay"]);
    await again.kill();
  });

  it("nothing that is denied is lifted, shortened or exchanged before that is written", async () => {
    const { start, table } = machine(volume!);
    const agent = await start();
    agent.overlay(overlay([address(1), address(2), address(3), address(4)]));
    await agent.settleNetwork();
    fill(filler);
    const until4 = at(1.5);
    const other = { kind: "address", to: "203.0.113.9", protocol: "any" } as const;
    const next = overlay([
      ...[address(2, { until: at(0.1) }), address(3, { what: other })],
      ...[address(4, { until: until4 }), address(5)],
    ]);
    agent.overlay(next);
    const denied = () => Object.fromEntries(agent.policy.denied().map((entry) => [Number(entry.id), entry]));
    expect(Object.keys(denied())).toEqual(["1", "2", "3", "4", "5"]);
    expect(Date.parse(denied()[2]!.until)).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    expect(denied()[3]!.what).toMatchObject({ to: "198.51.100.3" });
    expect(denied()[4]!.until).toBe(until4);
    // the console is not told that it is in force as ordered
    expect(agent.policy.overlays()).toMatchObject([{ order: newest() - 1 }]);
    await agent.settleNetwork();
    for (const id of [1, 2, 3, 4, 5]) expect(table()).toContain(`198.51.100.${id}`);
    rmSync(filler);
    agent.look();
    expect(agent.policy.overlays()).toMatchObject([{ order: newest() }]);
    expect(Object.keys(denied())).toEqual(["2", "3", "4", "5"]);
    expect(denied()[3]!.what).toMatchObject({ to: "203.0.113.9" });
    await agent.kill();
  });

  it("a forged one, one that has run out and an older one do nothing", async () => {
    const { start } = machine(volume!);
    const agent = await start();
    fill(filler);
    const stranger = newSigner();
    agent.command(command("isolate", { until: at(1) }, stranger));
    agent.command(command("isolate", { until: at(1) }, undefined, at(-1)));
    agent.overlay(overlay([address(1)], stranger));
    const older = overlay([address(2)]);
    agent.overlay(overlay([address(3)]));
    agent.overlay(older);
    expect(agent.commands.isolation).toBeUndefined();
    expect(agent.commands.unkept).toBeUndefined();
    expect(agent.policy.denied().map(({ id }) => Number(id))).toEqual([3]);
    rmSync(filler);
    await until("all are refused", () => kinds(agent, "policy.refused").length === 4);
    await agent.kill();
  });

  it("an agent says to its console what holds and is not on disk yet, and goes on over a kill", async () => {
    const console = await startConsole();
    const elsewhere = process.env.TMPDIR;
    process.env.TMPDIR = volume;
    const own = await enrolMachine(console);
    if (elsewhere === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = elsewhere;
    const { workstation } = own;
    const reported = () => console.reported.get(workstation);
    const records = (kind: string) => console.records(kind).map(({ content }) => content!.body);
    const agent = own.start();
    await until("it reports", () => reported() !== undefined, own);
    fill(filler);
    const denied = overlay([address(9)], console.signer);
    console.sendOverlay(workstation, denied);
    const holds = () => reported()?.overlays?.[0]?.digest === JSON.parse(denied.text).digest;
    await until("it is denied", holds, own);
    expect(reported()!.sources.orders).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(/not all on disk yet.* of the policy \(ENOSPC/),
    });
    await stop(agent, "SIGKILL");
    console.reported.delete(workstation);
    const again = own.start();
    await until("it is denied again", holds, own);
    const isolate = command("isolate", { until: at(1) }, console.signer, at(1), workstation);
    console.sendCommand(workstation, isolate);
    await until("it was carried out", () => own.log.some((line) => line.includes("command.ended")), own);
    expect(records("command.done")).toEqual([]);
    rmSync(filler);
    await until("it is told", () => records("command.done").length + records("policy.overlay").length >= 2, own);
    // no firewall is named on this machine
    expect(records("command.done")).toMatchObject([{ verb: "isolate", outcome: "failed" }]);
    expect(records("policy.overlay")).toMatchObject([{ order: JSON.parse(denied.text).order, entries: 1 }]);
    await until("nothing waits any more", () => reported()?.sources.orders === undefined, own);
    await stop(again);
    expect(readFileSync(join(own.state, "policy.json"), "utf8")).toContain(JSON.parse(denied.text).digest);
    await console.stop();
  });
});
