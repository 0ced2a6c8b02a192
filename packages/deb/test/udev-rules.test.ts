/** The package's udev rules, run by a real udev over a pretend sysfs in a mount namespace: what dom0 may look into. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, it as always, beforeEach, expect } from "vitest";

const here = (name: string) => fileURLToPath(new URL(`../debian/${name}`, import.meta.url));
const STATE = "/var/lib/sallyport-agent";
const STICK = "/devices/pci0/usb1/1-1/1-1.2/1-1.2:1.0/host6/target6:0:0/6:0:0:0/block/sda";
const DESCRIPTORS = "what the device says";
const SHUT = {
  UDEV_DISABLE_PERSISTENT_STORAGE_BLKID_FLAG: "1",
  UDISKS_IGNORE: "1",
  UDISKS_AUTO: "0",
  SYSTEMD_READY: "0",
};

const isRoot = process.getuid?.() === 0;
const has = existsSync("/usr/bin/udevadm") && existsSync("/usr/bin/unshare");
if (!has && process.env.CI) throw new Error("absent: sudo apt-get install udev util-linux");
if (!has || !isRoot)
  process.stderr.write(`left out: ${has ? "a namespace needs root" : "sudo apt-get install udev util-linux"}\n`);
const it = always.runIf(has && isRoot);

let root: string;
const at = (...names: string[]) => join(root, ...names);
const put = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
/** A device of the pretend sysfs, with the subsystem that udev asks for. */
const device = (path: string, subsystem: string, uevent: string) => {
  put(at("sys", path, "uevent"), uevent);
  mkdirSync(at("sys", subsystem), { recursive: true });
  symlinkSync(relative(at("sys", path), at("sys", subsystem)), at("sys", path, "subsystem"));
};
const block = (path: string, name: string, number: number) => {
  device(path, "class/block", `MAJOR=8\nMINOR=${number}\nDEVNAME=${name}\nDEVTYPE=disk\n`);
  put(at("sys", path, "dev"), `8:${number}\n`);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-udev-"));
  for (const folder of ["state", "none", "run", "dev", "sys/bus/usb/devices"])
    mkdirSync(at(folder), { recursive: true });
  for (const port of ["1-1", "1-1/1-1.2"]) {
    const path = `devices/pci0/usb1/${port}`;
    device(path, "bus/usb", "DEVTYPE=usb_device\n");
    put(at("sys", path, "descriptors"), DESCRIPTORS);
    symlinkSync(join("../../..", path), at("sys/bus/usb/devices", port.split("/").at(-1)!));
  }
  device("devices/pci0/usb1/1-1/1-1.2/1-1.2:1.0", "bus/usb", "DEVTYPE=usb_interface\n");
  block(STICK, "sda", 0);
  put(at("dev/null"), "");
  const text = readFileSync(here("50-sallyport-agent.rules"), "utf8");
  put(at("usb-hold"), readFileSync(here("usb-hold"), "utf8").replaceAll(STATE, at("state")));
  // the loop devices of a machine lie where its state folder is
  const rules = text
    .replaceAll("/usr/lib/sallyport-agent/usb-hold", `/bin/sh ${at("usb-hold")}`)
    .replaceAll(`${STATE}/usb-pins`, at("state/usb-pins"));
  expect(rules).toContain(at("usb-hold"));
  expect(rules).toContain(at("state/usb-pins"));
  put(at("rules/50-sallyport-agent.rules"), rules);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const pins = (...lines: string[]) => put(at("state/usb-pins"), lines.map((line) => `${line}\n`).join(""));
const sum = createHash("sha256").update(DESCRIPTORS).digest("hex");

/** What udev gives the device, of what shuts dom0 out. */
function given(path: string): Record<string, string> {
  const mounts = [
    [at("sys"), "/sys"],
    [at("rules"), "/etc/udev/rules.d"],
    [at("none"), "/usr/lib/udev/rules.d"],
    ["/dev/null", at("dev/null")],
    [at("dev"), "/dev"],
    [at("run"), "/run"],
  ];
  const script = `${mounts.map(([from, to]) => `mount --rbind ${from} ${to}`).join(" && ")} && exec udevadm test --action=add ${path} 2>&1`;
  const said = execFileSync("unshare", ["-m", "sh", "-c", script], {
    encoding: "utf8",
    env: { ...process.env, SYSTEMD_DEVICE_VERIFY_SYSFS: "0" },
  });
  expect(said).toMatch(/^SUBSYSTEM=/m);
  return Object.fromEntries(
    said
      .split("\n")
      .map((line) => /^(\w+)=(.*)$/.exec(line))
      .flatMap((found) => (found && Object.hasOwn(SHUT, found[1]!) ? [[found[1]!, found[2]!]] : [])),
  );
}

it("a disk on USB is as ready as ever where nothing is gated", () => {
  expect(given(STICK)).toEqual({});
});

it("where the agent gates, dom0 looks into no stick, also behind a hub that always passes", () => {
  pins(`1-1 ${sum}`);
  expect(given(STICK)).toEqual(SHUT);
});

it("a disk that always passes at its port is ready where the agent gates, and no other in its place", () => {
  pins(`1-1 ${sum}`, `1-1.2 ${sum}`);
  expect(given(STICK)).toEqual({});
  put(at("sys/devices/pci0/usb1/1-1/1-1.2/descriptors"), "another one");
  expect(given(STICK)).toEqual(SHUT);
});

it.each([
  ["/var/lib/sallyport-agent/usb/a.image", SHUT],
  ["/var/lib/sallyport-usb/a.image", SHUT],
  ["/srv/big/sallyport-usb/a.image", SHUT],
  ["/srv/guests/root.img", {}],
])("a loop device over %s", (backing, expected) => {
  const path = "/devices/virtual/block/loop0";
  block(path, "loop0", 16);
  put(at("sys", path, "loop/backing_file"), `${backing}\n`);
  expect(given(path)).toEqual(expected);
});
