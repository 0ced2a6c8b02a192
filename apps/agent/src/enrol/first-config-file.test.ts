import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readConfig } from "../config.ts";
import { pinsPath } from "../dom0/usb-pins-file.ts";
import { simDom0 } from "../sim/sim.ts";
import { type SimUsb, simUsb } from "../sim/usb.ts";
import { keepFirstConfig } from "./first-config-file.ts";

let root: string;
let kernel: SimUsb;
const dom0 = simDom0();
const DESK = [
  { domid: 0, config: { c_info: { name: "Domain-0" } } },
  { domid: 1, config: { c_info: { name: "desk" } } },
];
dom0.program("xl", () => ({ stdout: JSON.stringify(DESK) }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-first-"));
  kernel = simUsb(root);
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

it("turns the gate on with the keyboard that is there, so that ports are held from the next start on", async () => {
  kernel.plug("1-2", { interfaces: [["08:06:50"]] });
  kernel.plug("1-3", { interfaces: [["03:01:01"]], name: "Keyboard" });
  const { path, words } = await keepFirstConfig(root, dom0, kernel.place);
  expect(path).toBe(join(root, "config.json"));
  expect(words.join("\n")).toContain("USB: gated from the first start on");
  const { usb } = readConfig(root, undefined);
  expect(usb).toMatchObject({ guest: { by: "xl", guest: "desk" }, pins: [{ port: "1-3" }], withoutKeyboard: false });
  expect(readFileSync(pinsPath(root), "utf8")).toBe(`1-3 ${usb?.pins[0]?.descriptors}\n`);
});

it("a configuration that is there stays, and that it gates nothing is said", async () => {
  const file = join(root, "config.json");
  writeFileSync(file, '{ "logLevel": "warn" }');
  const { path, words } = await keepFirstConfig(root, dom0, kernel.place);
  expect(path).toBeNull();
  expect(words).toEqual([
    `${file} is there already and stays as it is.`,
    expect.stringMatching(/^USB: not gated, because/),
  ]);
  expect(readFileSync(file, "utf8")).toBe('{ "logLevel": "warn" }');
  expect(existsSync(pinsPath(root))).toBe(false);
});

it("a machine that is no dom0 gets none, and nothing of it is held", async () => {
  kernel.plug("1-3", { interfaces: [["03:01:01"]] });
  const { path, words } = await keepFirstConfig(root, simDom0(), kernel.place);
  expect([path, existsSync(join(root, "config.json")), existsSync(pinsPath(root))]).toEqual([null, false, false]);
  expect(words[0]).toContain("this machine answers as no Xen dom0");
});
