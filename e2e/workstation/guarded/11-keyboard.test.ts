/** Promise: the keyboard that was there at installation stays alive; another one, and a stick that is also one, get no driver. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { AUTHORISED, gateOf } from "./gate.ts";

const COMPOSITE = path.join(import.meta.dirname, "composite.py");

const at = useGuarded();
const { isClosed } = gateOf(at);

it("the keyboard that was there at installation stays alive, and a second one is held", async () => {
  const { workstation, record } = at();
  const keyboards = async () =>
    (await workstation.dom0.run(AUTHORISED)).split("\n").filter((line) => line.includes("Keyboard"));
  expect(await keyboards()).toEqual(["QEMU USB Keyboard 1"]);
  const since = new Date();
  await workstation.plugDevice("usb-kbd", "second-keyboard");
  const verdict = await record("usb.verdict", { since });
  expect(verdict.body).toMatchObject({ verdict: "block", about: "device" });
  expect((await keyboards()).sort()).toEqual(["QEMU USB Keyboard 0", "QEMU USB Keyboard 1"]);
  await workstation.unplug("second-keyboard");
  await record("usb.removed", { since });
});

it("a stick that is also a keyboard gets no driver, whatever the rules say of its storage", async () => {
  const { workstation, record, records } = at();
  const { dom0 } = workstation;
  await dom0.run("cat > /run/composite.py && modprobe vhci-hcd", { input: readFileSync(COMPOSITE) });
  // its own controllers begin as the kernel has them: the gate closes them first
  await isClosed();
  const since = new Date();
  await dom0.run("systemd-run --quiet --unit=composite python3 /run/composite.py");
  const seen = await record("usb.device", { since, fits: ({ body }) => body.device !== undefined });
  expect(seen.body.device.interfaces).toEqual(["08:06:50", "03:01:01"]);
  const verdict = await record("usb.verdict", { since });
  expect(verdict.body).toMatchObject({ verdict: "block", about: "device" });
  const bound = "ls -d /sys/bus/usb/devices/*:*/driver | xargs -n 1 readlink -f";
  expect(
    await dom0.run(`for d in $(grep -l 5a11 /sys/bus/usb/devices/*/idProduct); do cat $(dirname $d)/authorized; done`),
  ).toBe("0\n");
  expect(await dom0.run(bound)).not.toMatch(/usb-storage|uas/);
  expect(await records("usb.attach", since)).toEqual([]);
  await dom0.run("systemctl stop composite");
  await record("usb.removed", { since });
});
