/** Promise: policy says as what the guest gets a stick: its sealed image, or the device itself, and then the record says that
 *  nobody has looked into it; and no driver of dom0's has it, also when the guest lets go of it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { until } from "./guarded.ts";
import { USB } from "./rules.ts";
import { makeStick, sha256 } from "./sticks.ts";

/** What QEMU calls its sticks, and the serial number of the one that may pass unread. */
const DIRECT = "sallyport-direct";
const MODES = { ...USB, present: "image", directRules: [`allow id 46f4:0001 serial "${DIRECT}"`] };

const at = useGuarded();

it("as an image: the guest has the sealed image, byte for byte and read-only", async () => {
  const { workstation, enforce, record } = at();
  await enforce({ usb: MODES }, "Images, and one stick directly");
  const image = path.join(workstation.folder, "image.img");
  const whole = sha256(readFileSync(makeStick(image, { "letter.txt": "Dear guest,\n" }, 2)));
  const since = new Date();
  await workstation.plug(image);
  const attach = await record("usb.attach", { since });
  expect(attach.body).toMatchObject({ mode: "image", units: [{ lun: 0, sha256: whole }] });
  const disk = attach.body.handles[0];
  expect(await workstation.guest("primary", `sha256sum < /dev/${disk}`)).toContain(whole);
  expect(await workstation.guest("primary", `cat /sys/block/${disk}/ro`)).toBe("1\n");
  await workstation.unplug();
  await record("usb.removed", { since });
});

it("as a device: only the one that a rule names, and the record says that nobody looked into it", async () => {
  const { workstation, record, records } = at();
  const image = path.join(workstation.folder, "direct.img");
  const stick = readFileSync(makeStick(image, { "letter.txt": "Dear guest,\n" }, 2));
  const since = new Date();
  await workstation.plug(image, { serial: DIRECT });
  const attach = await record("usb.attach", { since });
  expect(attach.body).toMatchObject({ mode: "device", verified: false, handles: [expect.stringMatching(/^usb:/)] });
  expect(attach.text).toMatch(/CONTENTS NOT VERIFIED/);
  expect(await records("usb.scan", since)).toEqual([]);
  const whole = "for d in /sys/block/sd*; do sha256sum < /dev/$(basename $d); done 2> /dev/null || true";
  const seen = async () => (await workstation.guest("primary", whole)).includes(sha256(stick));
  await until(seen, "a driver of the guest's has it, and it is the stick's very bytes");

  // QEMU gives it back, and asks the kernel for drivers; usb-storage says in the kernel's log what it takes
  const { dom0 } = workstation;
  const taken = () => dom0.run("dmesg | grep -c 'USB Mass Storage device detected' || true");
  const before = await taken();
  const port = /Port (\d+): Bus/.exec(await dom0.run("xl usb-list primary"))?.[1];
  await dom0.run(`xl usbdev-detach primary 0 ${port}`);
  expect((await record("usb.removed", { since })).text).toMatch(/the guest does not have it any more, though it runs/);
  expect(await taken()).toBe(before);
  const own = `for d in $(grep -l ${DIRECT} /sys/bus/usb/devices/*/serial); do cat $(dirname $d)/authorized; done`;
  expect(await dom0.run(own)).toBe("0\n");
  await workstation.unplug();
});
