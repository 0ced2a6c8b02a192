/** The door to the USB ports over a pretend sysfs, and reading a stick from plain files and a real loop device. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DoorError } from "../../src/dom0/dom0.ts";
import { parentOf, usbPorts } from "../../src/dom0/usb.ts";
import { storageDrivers } from "../../src/dom0/usb-drivers.ts";
import { isNodeOf } from "../../src/dom0/usb-units.ts";
import { type UsbVolume, usbVolume } from "../../src/dom0/usb-volume.ts";
import { usbEvents } from "../../src/dom0/usb-watch.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { type SimDevice, simDescriptors } from "../../src/sim/usb-device.ts";
import { until } from "../core/agent.ts";

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const quiet = { onProgress: () => {}, signal: new AbortController().signal };

let root: string;
let kernel: SimUsb;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-usb-"));
  kernel = simUsb(root);
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

describe("the drivers for a stick", () => {
  const asked = (device: SimDevice) => storageDrivers(kernel.place, simDescriptors(device));
  it("are usb-storage and uas, and before them the one for its very model", async () => {
    expect(await asked({})).toEqual(["uas", "usb-storage"]);
    expect(await asked({ interfaces: [["08:06:50", "08:06:62"]] })).toEqual(["uas", "usb-storage"]);
    expect(await asked({ vendor: "0bda", product: "0138" })).toEqual(["ums-realtek", "uas", "usb-storage"]);
  });
  it("are none where another would take it too, by its number or by its kind", async () => {
    await expect(asked({ vendor: "eb1a", product: "2750" })).rejects.toThrow(/dom0's driver em28xx would take it/);
    const hub = simDescriptors({});
    hub[4] = 9;
    await expect(storageDrivers(kernel.place, hub)).rejects.toThrow(/dom0's driver usbcore would take it/);
  });
  it("that are part of the kernel count as well", async () => {
    const builtin = [
      "ext4.alias=fs-ext4",
      "visor.alias=usb:v0951p1666d*dc*dsc*dp*ic*isc*ip*in*",
      "visor.license=GPL",
      "",
    ];
    writeFileSync(join(kernel.place.modules!, "modules.builtin.modinfo"), builtin.join("\0"));
    await expect(asked({})).rejects.toThrow(/dom0's driver visor would take it/);
  });
  it("are known by nobody where the kernel's lists are absent, so it is refused", async () => {
    rmSync(kernel.place.modules!, { recursive: true });
    await expect(asked({})).rejects.toThrow(/no modules.alias, so nobody can say/);
    writeFileSync(kernel.place.modules!, "");
    await expect(asked({})).rejects.toThrow(DoorError);
  });
});

describe("the ports", () => {
  it("of a machine without USB are none", async () => {
    const ports = usbPorts({ sysfs: join(root, "none"), dev: "/dev" });
    expect([await ports.controllers(), await ports.plugged(), await ports.read("1-1")]).toEqual([[], [], undefined]);
  });
  it("hold what comes once the controller is told so, and read it without a driver", async () => {
    const ports = usbPorts(kernel.place);
    kernel.plug("1-1", { serial: "\ud800\nodd", interfaces: [["08:06:50", "08:06:62"]] });
    expect(await ports.controllers()).toEqual([{ name: "usb1", authorizedDefault: "1" }]);
    await ports.holdNew("usb1");
    expect(kernel.defaultOf()).toBe("0");
    kernel.plug("1-2", { interfaces: [["08:06:50"], ["03:01:01"]] });
    const found = await ports.plugged();
    expect(found.map(({ port, authorised }) => [port, authorised])).toEqual([
      ["1-1", true],
      ["1-2", false],
    ]);
    const [stick, both] = [await ports.read("1-1"), await ports.read("1-2")];
    expect(stick).toMatchObject({ ok: true, value: { interfaces: ["08:06:50", "08:06:62"], interfaceCount: 1 } });
    expect(stick?.ok && stick.value.serial.isWellFormed()).toBe(true);
    expect(both).toMatchObject({ ok: true, value: { interfaces: ["08:06:50", "03:01:01"], interfaceCount: 2 } });
    expect(both?.ok && both.value.parentHash).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(kernel.bindings("1-2")).toBe(0);
  });
  it("show each logical unit of an authorised stick, and none of a held one", async () => {
    const ports = usbPorts(kernel.place);
    await ports.holdNew("usb1");
    const [a, b] = [join(root, "a.img"), join(root, "b.img")];
    writeFileSync(a, randomBytes(MIB));
    writeFileSync(b, randomBytes(2 * MIB));
    kernel.plug("1-2", { units: [a, null, b] });
    expect(await ports.units("1-2")).toEqual([]);
    expect(await ports.authorise("1-2", true)).toBe(true);
    await until("the units are there", async () => (await ports.units("1-2")).length === 3);
    const units = await ports.units("1-2");
    expect(units.map(({ lun, bytes }) => [lun, bytes])).toEqual([
      [0, MIB],
      [1, 0],
      [2, 2 * MIB],
    ]);
    expect((await ports.faces("1-2")).map(({ type }) => type)).toEqual(["08:06:50"]);
    await ports.authorise("1-2", false);
    await until("the driver has let go", async () => (await ports.units("1-2")).length === 0);
  });
  it("say that a device has gone, and refuse where the kernel does not do as it is told", async () => {
    const ports = usbPorts(kernel.place);
    expect(await ports.authorise("1-9", true)).toBe(false);
    kernel.plug("1-2");
    kernel.stop();
    rmSync(join(kernel.place.sysfs, "bus/usb/devices/1-2/authorized"));
    execFileSync("mkdir", [join(kernel.place.sysfs, "bus/usb/devices/1-2/authorized")]);
    await expect(ports.authorise("1-2", false)).rejects.toThrow(DoorError);
  });
  it("that are claimed give no driver what is let in there, until it is held", async () => {
    const ports = usbPorts(kernel.place, kernel.claimPort);
    kernel.plug("1-1", { interfaces: [["09:00:00"]] });
    await ports.holdNew("usb1");
    kernel.plug("1-1.4");
    await ports.authorise("1-1.4", true, "shut");
    await ports.claim("1-1.4");
    await ports.claim("1-1.4");
    await ports.open("1-1.4", "probe");
    kernel.reattach("1-1.4");
    expect([kernel.drivers("1-1.4"), kernel.claimed("1-1.4")]).toEqual([[], true]);
    await ports.authorise("1-1.4", false);
    expect(kernel.claimed("1-1.4")).toBe(false);
    await ports.claim("1-1.4");
    kernel.unplug("1-1.4");
    await ports.plugged();
    expect(kernel.claimed("1-1.4")).toBe(false);
    await expect(ports.claim("7-1")).rejects.toThrow(/there is no hub that has a port 7-1/);
  });
  it("know what hangs on what", () => {
    expect(["1-2", "1-2.3", "2-1.4.1"].map(parentOf)).toEqual(["usb1", "1-2", "2-1.4"]);
  });
  it("wake whoever waits, with udev or without, until told to stop", async () => {
    for (const udev of [true, false]) {
      const stop = new AbortController();
      let woken = 0;
      for await (const _wake of usbEvents(stop.signal, { udev, everyMs: 10 })) if (++woken === 3) stop.abort();
      expect(woken).toBe(3);
    }
  });
});

describe("the volume", () => {
  const volumes: UsbVolume[] = [];
  const opened = (folder = join(root, "volume")): UsbVolume => {
    const volume = usbVolume(folder);
    volumes.push(volume);
    return volume;
  };
  const openFiles = (): string[] =>
    readdirSync("/proc/self/fd")
      .map((fd) => {
        try {
          return readlinkSync(join("/proc/self/fd", fd));
        } catch {
          return ""; // gone since
        }
      })
      .filter((path) => path.startsWith(`${root}/`));
  afterEach(async () => {
    for (const volume of volumes.splice(0)) await volume.close();
    await until("no file of it is open any more", () => openFiles().length === 0);
  });
  it("lets go of the stick where there is no place for the copy, and keeps one descriptor of each file", async () => {
    const node = join(root, "stick");
    writeFileSync(node, randomBytes(MIB));
    const nowhere = opened(join(node, "volume"));
    await expect(nowhere.copy({ ...quiet, node, bytes: MIB })).rejects.toThrow(/takes no file/);
    expect(openFiles()).toEqual([]);
    const volume = opened();
    const copied = await volume.copy({ ...quiet, node, bytes: MIB });
    for (let round = 0; round < 2; round++) await volume.seal(copied);
    await until("the stick is closed", () => openFiles().length === 1);
    await volume.close();
    const asked = Array.from({ length: 4 }, () => volume.seen(copied.file));
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(openFiles()).toEqual([volume.path(copied.file)]);
  });
  it("copies a stick once, hashed on the way, and keeps it sealed", async () => {
    const bytes = randomBytes(9 * MIB + 512);
    const node = join(root, "stick");
    writeFileSync(node, bytes);
    const volume = opened();
    const progress: number[] = [];
    const copied = await volume.copy({ ...quiet, node, bytes: bytes.length, onProgress: (at) => progress.push(at) });
    writeFileSync(node, randomBytes(bytes.length));
    await volume.seal(copied);
    expect(copied.sha256).toBe(sha256(bytes));
    expect(await volume.check(copied.file)).toBe(sha256(bytes));
    expect(statSync(volume.path(copied.file)).mode & 0o777).toBe(0o400);
    expect(progress.at(-1)).toBe(bytes.length);
    await volume.discard(copied.file);
    await volume.discard(copied.file);
    expect(await volume.files()).toEqual([]);
  });
  it("refuses one that ends before its size, or is broken off, and keeps nothing of it", async () => {
    const node = join(root, "stick");
    writeFileSync(node, randomBytes(MIB));
    truncateSync(node, 4096);
    const volume = opened();
    await expect(volume.copy({ ...quiet, node, bytes: MIB })).rejects.toThrow(/ended at byte 4096 of the 1048576/);
    await expect(volume.copy({ ...quiet, node, bytes: 512, signal: AbortSignal.abort() })).rejects.toThrow(DoorError);
    await expect(volume.copy({ ...quiet, node: join(root, "none"), bytes: 1 })).rejects.toThrow(/cannot be opened/);
    expect(await volume.files()).toEqual([]);
  });
  it("notices another file in the sealed one's place, and one that was opened for writing again", async () => {
    const node = join(root, "stick");
    writeFileSync(node, randomBytes(MIB));
    const volume = opened();
    const [one, two] = [
      await volume.copy({ ...quiet, node, bytes: MIB }),
      await volume.copy({ ...quiet, node, bytes: MIB }),
    ];
    for (const each of [one, two]) await volume.seal(each);
    const path = volume.path(one.file);
    execFileSync("sh", ["-c", `cp "${path}" "${path}.x" && mv -f "${path}.x" "${path}"`]);
    await expect(volume.check(one.file)).rejects.toThrow(/another file lies in the place/);
    execFileSync("chmod", ["600", volume.path(two.file)]);
    await expect(volume.check(two.file)).rejects.toThrow(/not sealed any more/);
    appendFileSync(volume.path(two.file), "more");
    execFileSync("chmod", ["400", volume.path(two.file)]);
    expect(await volume.check(two.file)).not.toBe(two.sha256);
  });
  it("reads a block device alone, and knows a node that is not the stick's", async () => {
    const bytes = randomBytes(MIB);
    const image = join(root, "disk.img");
    writeFileSync(image, bytes);
    let loop: string;
    try {
      loop = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8", stdio: "pipe" }).trim();
    } catch (error) {
      // containers without loop devices read plain files, as the tests above do
      expect((error as { stderr: string }).stderr).toMatch(/losetup/);
      return;
    }
    try {
      const ports = usbPorts(kernel.place);
      kernel.plug("1-2", { units: [loop] });
      kernel.plug("1-3", { units: [image] });
      await until("the unit is there", async () => (await ports.units("1-2")).length === 1);
      const [unit] = await ports.units("1-2");
      expect(await isNodeOf(kernel.place, "1-2", unit!.node!)).toEqual({ ok: true, value: null });
      expect(await isNodeOf(kernel.place, "1-3", unit!.node!)).toMatchObject({
        ok: false,
        error: expect.stringMatching(/does not belong/),
      });
      expect(await isNodeOf(kernel.place, "1-2", join(root, "gone"))).toMatchObject({ ok: false });
      const copied = await opened().copy({ ...quiet, node: unit!.node!, bytes: unit!.bytes });
      expect(copied.sha256).toBe(sha256(bytes));
    } finally {
      execFileSync("losetup", ["--detach", loop]);
    }
    expect(existsSync(image) && readFileSync(image).equals(bytes)).toBe(true);
  });
});
