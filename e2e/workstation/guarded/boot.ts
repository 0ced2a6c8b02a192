/** One boot of the whole workstation with the agent's package in its dom0, enrolled with a console on this machine, for
 *  every test file: vitest runs the files of this suite in one process, in the order of their names, and what one did is
 *  not undone for the next, since a trail goes on. A file that is run by itself boots a machine of its own. */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeAll } from "vitest";
import { CACHE } from "../../../packages/hv-patches/tools/debian.ts";
import { needsSentence } from "../../../packages/hv-patches/tools/needs.ts";
import { up } from "../workstation.ts";
import { startConsole } from "./console.ts";
import { buildDebs, enrol, type Guarded } from "./guarded.ts";

const FOLDER = path.join(CACHE, "guarded");
let booted: Promise<Guarded> | undefined;

/** The machine of this run, once its first test has begun. A test that fails leaves no stick in a port. */
export function useGuarded(): () => Guarded {
  let guarded: Guarded;
  beforeAll(async () => {
    booted ??= boot();
    guarded = await booted;
  });
  afterEach(async ({ task }) => {
    const seconds = Math.round((Date.now() - (task.result?.startTime ?? Date.now())) / 1000);
    console.info(`${seconds} s: ${task.name}: ${task.result?.state}`);
    if (!guarded) return;
    for (const id of await guarded.workstation.sticks()) {
      const since = new Date();
      await guarded.workstation.unplug(id);
      await guarded.record("usb.removed", { since });
    }
  });
  return () => guarded;
}

async function boot(): Promise<Guarded> {
  const needs = await needsSentence(path.join(import.meta.dirname, "../packages.txt"));
  if (needs !== undefined) throw new Error(needs);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const say = (line: string) => console.info(line);
  const debs = await buildDebs(path.join(FOLDER, "debs"));
  const watched = await startConsole(path.join(FOLDER, "console"));
  const { children, ports } = watched.stack;
  // nothing outlives this process: the machine goes with it (tools/qemu.ts), the console's parts here
  process.once("SIGTERM", () => process.exit(143));
  process.once("exit", () => {
    for (const child of children.values()) child.kill("SIGKILL");
  });
  const workstation = await up({
    ...{ folder: path.join(FOLDER, "machine"), debs: [debs.old, debs.new], say },
    consolePorts: [ports.mqtt, ports.listen],
  });
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  await workstation.plugDevice("usb-kbd", "keyboard");
  await workstation.install(debs.old);
  say(`installed after ${seconds()} s`);
  const guarded = await enrol(watched, workstation, debs);
  say(`enrolled, and its first policy in force after ${seconds()} s`);
  return guarded;
}
