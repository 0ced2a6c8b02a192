import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { neededUsb } from "./usb-needed.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-needed-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${text}\n`);
}
/** As sysfs has it: the class names what lies below the device. */
function lay(name: string, at: string, files: Record<string, string> = {}): void {
  const kind = at.includes("/net") || at.startsWith("virtual/net") ? "net" : "block";
  const folder = join("sys/devices", at, name);
  put(join(folder, "uevent"), "");
  for (const [file, text] of Object.entries(files)) put(join(folder, file), text);
  mkdirSync(join(root, "sys/class", kind), { recursive: true });
  symlinkSync(join(root, folder), join(root, "sys/class", kind, name));
}
const look = () => neededUsb({ sysfs: join(root, "sys") }, join(root, "proc"));
const hub = "pci0000:00/0000:00:14.0/usb2/2-1/2-1.4";
const scsi = "2-1.4:1.0/host6/target6:0:0/6:0:0:0/block/sda";
const lines = (...each: string[]) => each.join("\n");

it("a USB disk is needed where it is mounted, swapped to, or part of a volume; by number or by name", async () => {
  lay("sda1", join(hub, scsi), { dev: "8:1" });
  lay("sda2", join(hub, scsi), { dev: "8:2" });
  lay("sda3", join(hub, scsi), { dev: "8:3" });
  lay("sda4", join(hub, scsi), { dev: "8:4", "holders/dm-0/name": "root" });
  lay("sda5", join(hub, scsi), { dev: "8:5" });
  lay("nvme0n1p1", "pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1", { dev: "259:1" });
  put(
    "proc/self/mountinfo",
    lines(
      "22 1 8:1 / /boot/efi rw,relatime shared:1 - vfat /dev/sda1 rw",
      "23 1 0:31 /@ /srv rw,relatime shared:2 - btrfs /dev/sda2 rw,subvol=/@",
      "24 1 259:1 / /home rw - ext4 /dev/nvme0n1p1 rw",
      "25 1 0:5 / /dev rw - devtmpfs udev rw",
    ),
  );
  put("proc/swaps", lines("Filename Type Size Used Priority", "/dev/sda3 partition 1048572 0 -2"));
  expect(await look()).toEqual([
    { port: "2-1.4", why: "sda1 is mounted at /boot/efi" },
    { port: "2-1.4", why: "sda2 is mounted at /srv" },
    { port: "2-1.4", why: "sda3 is swap" },
    { port: "2-1.4", why: "sda4 is part of dm-0" },
  ]);
});

it("an interface on USB is needed where the default route goes out by it, also below a bridge", async () => {
  lay("enx0", join(hub, "2-1.4:1.0/net"));
  lay("enx1", "pci0000:00/0000:00:14.0/usb2/2-2/2-2:1.0/net");
  lay("enp3s0", "pci0000:00/0000:00:1c.0/net");
  lay("xenbr0", "virtual/net", { "lower_enx0/uevent": "", "lower_vif1.0/uevent": "" });
  const head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT";
  put("proc/self/net/route", lines(head, "xenbr0 00000000 0100000A 0003 0 0 0 00000000 0 0 0"));
  expect(await look()).toEqual([{ port: "2-1.4", why: "enx0 carries the default route" }]);
  put("proc/self/net/route", lines(head, "enp3s0 00000000 0100000A 0003 0 0 0 00000000 0 0 0"));
  expect(await look()).toEqual([]);
  const zeros = "0".repeat(32);
  put(
    "proc/self/net/ipv6_route",
    lines(
      `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 enx1`,
      `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200 lo`,
    ),
  );
  expect(await look()).toEqual([{ port: "2-2", why: "enx1 carries the default route" }]);
});

it("where nothing of that is there, nothing is needed", async () => {
  expect(await look()).toEqual([]);
});
