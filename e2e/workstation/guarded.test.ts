/** One boot of the whole workstation with the agent's package in its dom0, enrolled with a console on this machine, and
 *  watched there. The promises follow each other on it: a trail goes on, so nothing is put back in between. */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { CACHE } from "../../packages/hv-patches/tools/debian.ts";
import { needsSentence } from "../../packages/hv-patches/tools/needs.ts";
import { artifactPromises } from "./guarded/artifacts.ts";
import { changingPromises } from "./guarded/changing.ts";
import { commandPromises } from "./guarded/commands.ts";
import { startConsole, type Watched } from "./guarded/console.ts";
import { diskPromises } from "./guarded/disk.ts";
import { exceptionPromises } from "./guarded/exception.ts";
import { buildDebs, enrol, type Guarded } from "./guarded/guarded.ts";
import { layoutPromises } from "./guarded/layout.ts";
import { logPromises } from "./guarded/logs.ts";
import { modePromises } from "./guarded/modes.ts";
import { networkPromises } from "./guarded/network.ts";
import { tpmPromises } from "./guarded/tpm.ts";
import { upgradePromises } from "./guarded/upgrade.ts";
import { usbPromises } from "./guarded/usb.ts";
import { up, type Workstation } from "./workstation.ts";

const folder = path.join(CACHE, "guarded");
let watched: Watched | undefined;
let workstation: Workstation | undefined;
let debs: Awaited<ReturnType<typeof buildDebs>>;
let guarded: Guarded;
const at = () => guarded;

beforeAll(async () => {
  const needs = await needsSentence(path.join(import.meta.dirname, "packages.txt"));
  if (needs !== undefined) throw new Error(needs);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const say = (line: string) => console.info(line);
  debs = await buildDebs(path.join(folder, "debs"));
  watched = await startConsole(path.join(folder, "console"));
  const { mqtt, listen } = watched.stack.ports;
  const machine = { folder: path.join(folder, "machine"), consolePorts: [mqtt, listen], debs: [debs.old, debs.new] };
  workstation = await up({ ...machine, say });
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  await workstation.plugDevice("usb-kbd", "keyboard");
  await workstation.install(debs.old);
  say(`installed after ${seconds()} s`);
  guarded = await enrol(watched, workstation);
  say(`enrolled, and its first policy in force after ${seconds()} s`);
});

afterEach(async ({ task }) => {
  const seconds = Math.round((Date.now() - (task.result?.startTime ?? Date.now())) / 1000);
  console.info(`${seconds} s: ${task.name}: ${task.result?.state}`);
  // one that failed in the middle leaves its stick behind
  for (const id of await guarded.workstation.sticks()) {
    const since = new Date();
    await guarded.workstation.unplug(id);
    await guarded.record("usb.removed", { since });
  }
});

afterAll(async () => {
  await workstation?.down();
  await watched?.stack.stop();
});

describe("installed and enrolled", () => layoutPromises(at));
describe("what the console brings", () => artifactPromises(at));
describe("the guests' wire", () => networkPromises(at));
describe("the guests' logs", () => logPromises(at));
describe("the machine's TPM2", () => tpmPromises(at));
describe("the USB gate", () => usbPromises(at));
describe("an exception", () => exceptionPromises(at));
describe("what the guest gets", () => modePromises(at));
describe("a stick with two answers", () => changingPromises(at));
describe("an upgrade", () => upgradePromises(at, () => debs));
describe("orders", () => commandPromises(at));
describe("the guest's volume", () => diskPromises(at));
