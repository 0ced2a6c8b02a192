/** One boot of the whole workstation; each test starts from the same snapshot of it. */
import { spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import { layoutOf } from "@sallyport/shared/workstation/isolation.ts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { CACHE } from "../../packages/hv-patches/tools/debian.ts";
import { needsSentence } from "../../packages/hv-patches/tools/needs.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";
import { look } from "./look.ts";
import { DISPLAY } from "./machine.ts";
import { differences } from "./picture.ts";
import { up, type Workstation } from "./workstation.ts";

const folder = path.join(CACHE, "workstation-test");
const server = http.createServer((_, answer) => answer.end("this is the console"));
let port = 0;
let workstation: Workstation;

beforeAll(async () => {
  const needs = await needsSentence(path.join(import.meta.dirname, "packages.txt"));
  if (needs !== undefined) throw new Error(needs);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
  workstation = await up({ folder, consolePorts: [port], say: (line) => console.info(line) });
  await workstation.save();
});

/** Ctrl-], at any line's begin. */
const LEAVE = "\u001d";
const TYPE_MS = 4_000;
const TERMINAL_MS_MAX = 300_000;

let dirty = false;
afterEach(async () => {
  if (dirty) await workstation.revert();
  dirty = false;
});

afterAll(async () => {
  await workstation?.down();
  server.close();
});

it("dom0 reads a layout in which the guest's memory is its own, one to one, and says that nothing isolates its device", async () => {
  const seen = await look(workstation.dom0);
  await writeFile(path.join(folder, "seen.json"), JSON.stringify(seen, undefined, 1));
  const { body, severity, text } = layoutOf(seen);
  expect(HypervisorLayout.parse(body)).toEqual(body);
  expect(body).toMatchObject({ hypervisor: "xen", isolation: "direct-map", iommu: "absent", audit: { wrong: 0 } });
  expect(seen.info, "xl info claims an IOMMU here, and is not believed").toMatch(/virt_caps.*hvm_directio/);
  expect(body.devices).toContainEqual(
    expect.objectContaining({ sbdf: DISPLAY.sbdf, class: "display", owner: "primary" }),
  );
  const primary = body.regions.filter(({ owner }) => owner === "primary");
  expect(primary.length).toBeGreaterThan(0);
  const xen = body.regions.find(({ owner }) => owner === "xen")!;
  for (const region of primary) {
    expect(region.oneToOne).toBe(true);
    expect(BigInt(region.to)).toBeLessThanOrEqual(BigInt(xen.from));
  }
  expect(BigInt(xen.from)).toBeGreaterThanOrEqual(1n << 30n);
  expect(severity).toBe("warning");
  expect(text).toContain("can reach all memory");
});

it("the primary guest's disk is a LUKS volume of dom0's, mounted in the guest", async () => {
  const status = await workstation.dom0.run("cryptsetup status primary");
  expect(status).toMatch(/type:\s+LUKS2/);
  const metadata = JSON.parse(
    await workstation.dom0.run("cryptsetup luksDump --dump-json-metadata /dev/disk/by-id/virtio-primary"),
  ) as { keyslots: Record<string, { kdf: { type: string } }> };
  expect(metadata.keyslots["0"]?.kdf.type).toBe("pbkdf2");
  expect(await workstation.guest("primary", "cat /proc/mounts")).toMatch(/^\/dev\/xvda \/ ext4/m);
});

it("what the primary guest draws on its own display is what the display shows", async () => {
  const file = path.join(folder, "display.ppm");
  await workstation.screenshot(file);
  expect(differences(await readFile(file))).toBe(0);
  expect(await workstation.guest("second", "ls /dev/fb0 2>&1 || true")).toContain("No such file");
});

it("the guests reach dom0 over its bridge and nothing beyond it", async () => {
  for (const guest of ["primary", "second"] as const) {
    expect(await workstation.guest(guest, "ping -c 1 -W 5 10.77.0.1")).toContain("1 packets received");
    await expect(workstation.guest(guest, `nc -w 3 10.0.2.100 ${port} < /dev/null`)).rejects.toThrow(/ended with/);
  }
});

it("dom0 reaches a console on this machine's loopback, and no other port of it", async () => {
  expect(await workstation.dom0.run(`curl -sS -m 20 http://127.0.0.1:${port}/`)).toBe("this is the console");
  const other = http.createServer((_, answer) => answer.end("not for dom0"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const closed = (other.address() as AddressInfo).port;
  try {
    await expect(workstation.dom0.run(`curl -sS -m 5 http://10.0.2.2:${closed}/`)).rejects.toThrow(/curl/);
  } finally {
    other.close();
  }
});

/** The command line as a person has it: on a terminal of its own. Types until it says what is wanted, then leaves. */
async function onTerminal(verb: string, typed: string, wanted: string): Promise<number | null> {
  const command = `"${process.execPath}" "${path.join(import.meta.dirname, "cli.ts")}" ${verb}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    env: { ...process.env, SALLYPORT_WORKSTATION: folder, TERM: "dumb" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  // It may have ended just before it is told to.
  child.stdin.on("error", () => {});
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let over = false;
  void ended.then(() => {
    over = true;
  });
  // A console says nothing until it is spoken to, and what is typed before it is open is lost: so it is typed again.
  for (const end = Date.now() + TERMINAL_MS_MAX; !said.includes(wanted); await delay(TYPE_MS)) {
    if (over || Date.now() > end) {
      child.kill();
      throw new Error(`${verb} did not say ${wanted}: ${said}`);
    }
    child.stdin.write(typed);
  }
  for (const end = Date.now() + TERMINAL_MS_MAX; !over && Date.now() < end; await delay(TYPE_MS))
    child.stdin.write(LEAVE);
  child.kill();
  return ended;
}

it("dom0's console and the guest's are joined on a terminal and left with Ctrl-]", async () => {
  const shell = "echo said-$((6 * 7))\n";
  expect(await onTerminal("console dom0", shell, "said-42")).toBe(0);
  expect(await onTerminal("console guest", shell, "said-42")).toBe(0);
});

it("a command by ssh ends as it ended in dom0", async () => {
  expect(await workstation.dom0.interactive("exit 7")).toBe(7);
  expect(await workstation.dom0.interactive("true")).toBe(0);
});

it("a stick plugged in while it runs appears in dom0 with its bytes, and goes when it is pulled out", async () => {
  const image = path.join(folder, "stick.img");
  await writeFile(image, Buffer.concat([Buffer.from("written on the stick"), Buffer.alloc(1 << 20)]));
  await workstation.plug(image, { readOnly: true });
  const disk = "$(ls -d /sys/bus/usb/drivers/usb-storage/*/host*/target*/*/block/* 2> /dev/null | head -n 1)";
  const seen = `for i in $(seq 1 150); do d=${disk}; [ -n "$d" ] && [ -b "/dev/$(basename "$d")" ] && break; sleep 0.2; done; head -c 20 "/dev/$(basename "$d")"`;
  expect(await workstation.dom0.run(seen)).toBe("written on the stick");
  expect((await workstation.status()).sticks).toEqual(["stick"]);
  await workstation.unplug();
  const gone = `for i in $(seq 1 100); do d=${disk}; [ -z "$d" ] && break; sleep 0.2; done; echo "left: $d"`;
  expect(await workstation.dom0.run(gone)).toBe("left: \n");
  expect((await workstation.status()).sticks).toEqual([]);
});

it("a package is installed in dom0 with what it needs, and a kept moment undoes that", async () => {
  const tree = path.join(folder, "deb");
  await rm(tree, { recursive: true, force: true });
  await mkdir(path.join(tree, "DEBIAN"), { recursive: true });
  await mkdir(path.join(tree, "usr/share/proof"), { recursive: true });
  await writeFile(path.join(tree, "usr/share/proof/file"), "installed\n");
  const control =
    "Package: proof\nVersion: 1\nArchitecture: all\nDepends: tree\nMaintainer: Sallyport <none@invalid>\nDescription: a proof\n";
  await writeFile(path.join(tree, "DEBIAN/control"), control);
  await run("dpkg-deb", ["--build", "--root-owner-group", tree, path.join(folder, "proof.deb")]);
  dirty = true;
  await workstation.install(path.join(folder, "proof.deb"));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own place holders
  const installed = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' proof tree; cat /usr/share/proof/file";
  expect(await workstation.dom0.run(installed)).toBe("proof installed\ntree installed\ninstalled\n");
  await workstation.revert();
  dirty = false;
  await expect(workstation.dom0.run("cat /usr/share/proof/file")).rejects.toThrow(/No such file/);
  expect(await workstation.guest("primary", "echo still here")).toBe("still here\n");
});
