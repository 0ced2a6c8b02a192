/** Pinning what is there at installation, from the command line and as a function. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { usbPorts } from "../../src/dom0/usb.ts";
import { findKeyboards } from "../../src/pin-keyboards.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { runCli } from "../core/agent.ts";

let root: string;
let kernel: SimUsb;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-pins-"));
  mkdirSync(join(root, "state"));
  kernel = simUsb(root);
  kernel.plug("1-1", { interfaces: [["09:00:00"]], product: "0024" });
  kernel.plug("1-1.3", { interfaces: [["03:01:01"], ["03:00:00"]], product: "c31c" });
  kernel.plug("1-2", { interfaces: [["08:06:50"]] });
  kernel.plug("1-3", { interfaces: [["08:06:50"], ["03:01:01"]] });
  kernel.plug("1-4", { interfaces: [["09:00:00"]] });
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

it("keyboards are pinned with the hubs on the way to them, and nothing else", async () => {
  const { devices, pins, unreadable } = await findKeyboards(usbPorts(kernel.place));
  expect(devices.map(({ port }) => port)).toEqual(["1-1", "1-1.3"]);
  expect(pins).toHaveLength(2);
  expect(unreadable).toEqual([]);
});

it("they are written into the configuration, beside what stands there", async () => {
  const config = join(root, "state/config.json");
  writeFileSync(
    config,
    JSON.stringify({ logLevel: "warn", usb: { sysfs: kernel.place.sysfs, dev: kernel.place.dev } }),
  );
  const ran = await runCli("pin-keyboards", "--state", join(root, "state"), "--json");
  expect(ran.stderr).toBe("");
  expect(ran.code).toBe(0);
  const said = JSON.parse(ran.stdout) as { pins: { port: string }[] };
  expect(said.pins.map(({ port }) => port)).toEqual(["1-1", "1-1.3"]);
  const written = JSON.parse(readFileSync(config, "utf8")) as {
    logLevel: string;
    usb: { pins: unknown; sysfs: string };
  };
  expect(written).toMatchObject({ logLevel: "warn", usb: { pins: said.pins, sysfs: kernel.place.sysfs } });
});

it("a configuration that is refused stays as it is", async () => {
  const config = join(root, "state/config.json");
  writeFileSync(config, JSON.stringify({ nonsense: true }));
  const ran = await runCli("pin-keyboards", "--state", join(root, "state"));
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/is refused/);
  expect(readFileSync(config, "utf8")).toBe('{"nonsense":true}');
});
