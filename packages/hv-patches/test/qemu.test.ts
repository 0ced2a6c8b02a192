/** A machine with nothing to boot: how its end is told, not what it runs. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { root } from "../tools/debian.ts";
import { findVm, startVm, VmExited, VmTimeout } from "../tools/qemu.ts";
import { needPackages } from "./setup.ts";

beforeAll(async () => {
  await needPackages();
  await root();
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "qemu-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = async (more: { boundMs?: number; args?: string[] } = {}) =>
  startVm({ root: await root(), folder, boundMs: 120_000, args: ["-m", "32"], ...more });

it("a machine that goes on without the marker is a time-out", async () => {
  const vm = await start();
  await expect(vm.waitFor("a marker", /never/, 300)).rejects.toThrow(VmTimeout);
  expect(vm.running()).toBe(true);
  await vm.stop();
  expect(vm.running()).toBe(false);
});

it("a machine that ends is an exit, whatever time is left", async () => {
  const vm = await start();
  const waiting = vm.waitFor("a marker", /never/, 60_000);
  await Promise.all([expect(waiting).rejects.toThrow(VmExited), vm.qmp.run("quit").catch(() => {})]);
  await vm.stop();
});

it("a machine over its bound is killed, and that is a time-out too", async () => {
  // long enough for its monitor to answer first on a busy machine
  const vm = await start({ boundMs: 12_000 });
  await expect(vm.waitFor("a marker", /never/, 60_000)).rejects.toThrow(/the bound of 12 s is over/);
  await vm.stop();
});

it("arguments that QEMU refuses are told in its own words", async () => {
  await expect(start({ args: ["-device", "no-such-device"] })).rejects.toThrow(
    /'no-such-device' is not a valid device/,
  );
});

it("a running machine is found by its folder, and one that ended is not", async () => {
  const vm = await start();
  const found = await findVm(folder);
  expect(found?.pid).toBe(vm.pid);
  expect(await found?.qmp.run("query-status"), "while its starter still watches it").toMatchObject({ running: true });
  expect(await vm.qmp.run("query-status")).toMatchObject({ running: true });
  await found?.stop();
  while (vm.running()) await delay(50);
  expect(await findVm(folder)).toBeUndefined();
  await vm.stop();
});
