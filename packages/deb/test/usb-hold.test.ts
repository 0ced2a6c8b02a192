/** What the package holds before the agent runs: its script over a pretend kernel's ports, as udev and its unit start it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { usbPorts } from "../../../apps/agent/src/dom0/usb.ts";
import { keepPinsFile, pinsPath } from "../../../apps/agent/src/dom0/usb-pins-file.ts";
import { findKeyboards } from "../../../apps/agent/src/pin-keyboards.ts";
import { type SimUsb, simUsb } from "../../../apps/agent/src/sim/usb.ts";

const SCRIPT = fileURLToPath(new URL("../debian/usb-hold", import.meta.url));
let root: string;
let kernel: SimUsb;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-hold-"));
  kernel = simUsb(root, { controllers: ["usb1", "usb2"] });
  kernel.plug("1-1", { interfaces: [["09:00:00"]], product: "0024" });
  kernel.plug("1-1.3", { interfaces: [["03:01:01"]], product: "c31c" });
  kernel.plug("1-2", { interfaces: [["08:06:50"]] });
  kernel.plug("2-1", { interfaces: [["03:01:01"]], product: "beef" });
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

const hold = (...args: string[]) =>
  execFileSync("/bin/sh", [SCRIPT, ...args], {
    env: { PATH: process.env.PATH, SALLYPORT_SYSFS: kernel.place.sysfs, SALLYPORT_USB_PINS: pinsPath(root) },
    encoding: "utf8",
  });
const at = (port: string) => join(kernel.place.sysfs, "bus/usb/devices", port, "authorized");
const authorised = (...ports: string[]) => ports.map((port) => readFileSync(at(port), "utf8").trim());
const pin = async (...ports: string[]) => {
  const { pins } = await findKeyboards(usbPorts(kernel.place));
  keepPinsFile(
    root,
    pins.filter(({ port }) => ports.includes(port)),
  );
};

it("touches nothing where the agent does not gate", () => {
  hold();
  hold("1-2");
  expect(authorised("1-1", "1-1.3", "1-2", "2-1")).toEqual(["1", "1", "1", "1"]);
  expect(kernel.defaultOf("usb1")).toBe("1");
});

it("holds every controller and cuts off what is not pinned, and what is pinned stays or comes back", async () => {
  const later = join(kernel.place.sysfs, "module/usbcore/parameters");
  mkdirSync(later, { recursive: true });
  writeFileSync(join(later, "authorized_default"), "-1\n");
  await pin("1-1", "1-1.3");
  writeFileSync(at("1-1.3"), "0\n");
  hold();
  expect([kernel.defaultOf("usb1"), kernel.defaultOf("usb2")]).toEqual(["0", "0"]);
  expect(readFileSync(join(later, "authorized_default"), "utf8").trim()).toBe("0");
  expect(authorised("1-1", "1-1.3", "1-2", "2-1")).toEqual(["1", "1", "0", "0"]);
});

it("lets in at its port what is pinned there, and nothing else, also not the same keyboard elsewhere", async () => {
  await pin("1-1", "1-1.3");
  hold();
  kernel.unplug("1-1.3");
  kernel.plug("1-1.3", { interfaces: [["03:01:01"]], product: "c31c" });
  kernel.plug("1-4", { interfaces: [["03:01:01"]], product: "c31c" });
  for (const port of ["1-1.3", "1-4"]) writeFileSync(at(port), "0\n");
  for (const port of ["1-1.3", "1-4", "1-2", "9-9"]) hold(port);
  expect(authorised("1-1.3", "1-4", "1-2")).toEqual(["1", "0", "0"]);
  kernel.unplug("1-1.3");
  kernel.plug("1-1.3", { interfaces: [["03:01:01"], ["08:06:50"]], product: "c31c" });
  writeFileSync(at("1-1.3"), "0\n");
  hold("1-1.3");
  expect(authorised("1-1.3")).toEqual(["0"]);
});

it("gives a pinned keyboard its driver where it came while the agent shut others out", async () => {
  await pin("1-1", "1-1.3");
  const face = join(dirname(at("1-1.3")), "1-1.3:1.7");
  mkdirSync(face);
  writeFileSync(join(face, "authorized"), "0\n");
  hold("1-1.3");
  expect(readFileSync(join(face, "authorized"), "utf8").trim()).toBe("1");
});

it("gates nothing at the next start once the agent does not", async () => {
  await pin("1-1");
  keepPinsFile(root, undefined);
  hold();
  expect(authorised("1-2")).toEqual(["1"]);
});
