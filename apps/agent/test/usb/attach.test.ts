/** What the gate says to a guest: to a real QEMU over its machine protocol, and to xl by the words of its manual. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Attach, attachTo } from "../../src/dom0/attach.ts";
import { DoorError } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { simDom0 } from "../../src/sim/sim.ts";
import { until } from "../core/agent.ts";
import { missing } from "../gate/packages.ts";

const absent = missing("qemu-system-x86_64");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-attach-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(absent !== null)("a guest in QEMU", () => {
  let guest: ChildProcess;
  let attach: Attach;
  let image: string;
  let said = "";
  beforeAll(async () => {
    const socket = join(folder, "qmp");
    image = join(folder, "stick.img");
    // a content that names another format: it must not choose how it is read
    writeFileSync(image, Buffer.concat([Buffer.from("QFI\xfb\x00\x00\x00\x03", "latin1"), Buffer.alloc(1024 * 1024)]));
    const flags = ["-machine", "q35", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-S"];
    const bus = ["-device", "qemu-xhci", "-qmp", `unix:${socket},server=on,wait=off`];
    guest = spawn("qemu-system-x86_64", [...flags, ...bus], { stdio: ["ignore", "ignore", "pipe"] });
    guest.stderr?.on("data", (chunk) => (said += chunk));
    attach = attachTo(realDom0, { by: "qmp", socket });
    await until("QEMU answers", async () => {
      if (guest.exitCode !== null) throw new Error(`QEMU ended: ${said}`);
      return attach.planImage([]).then(
        () => true,
        () => false,
      );
    });
  });
  afterAll(async () => {
    guest.kill("SIGKILL");
    await until("QEMU is gone", () => guest.exitCode !== null || guest.signalCode !== null);
  });

  it("gets an image, keeps it until it is taken back, and may get it again", async () => {
    const handle = await attach.planImage([]);
    expect(await attach.has(handle)).toBe(false);
    for (let round = 0; round < 2; round++) {
      await attach.image(handle, image);
      expect(await attach.has(handle)).toBe(true);
      expect(await attach.planImage([])).not.toBe(handle);
      await attach.detach(handle);
      await attach.detach(handle);
      expect(await attach.has(handle)).toBe(false);
    }
    expect(await attach.planImage([])).toBe(handle);
    expect(await attach.planImage([handle])).not.toBe(handle);
  });
  it("leaves nothing behind of an image that it does not take", async () => {
    const handle = await attach.planImage([]);
    await expect(attach.image(handle, join(folder, "none.img"))).rejects.toThrow(/QEMU refuses blockdev-add/);
    await attach.image(handle, image);
    await expect(attach.image(handle, image)).rejects.toThrow(DoorError);
    await attach.detach(handle);
    await attach.image(handle, image);
    await attach.detach(handle);
  });
  it("is asked what it has still, and nobody answers where none runs", async () => {
    const handle = await attach.planImage([]);
    const before = await attach.holds([handle]);
    expect(before).toMatchObject({ isReady: true, has: [] });
    await attach.image(handle, image);
    expect(await attach.holds([handle, "other"])).toEqual({ ...before, has: [handle] });
    await attach.detach(handle);
    const none = attachTo(realDom0, { by: "qmp", socket: join(folder, "nobody") });
    expect(await none.holds([handle])).toEqual({ guest: undefined, isReady: false, has: [] });
  });
  it("says why where it does not get a device", async () => {
    const handle = await attach.planDevice([], { bus: 9, address: 9 });
    await expect(attach.device(handle, { bus: 9, address: 9 })).rejects.toThrow(DoorError);
    expect(await attach.has(handle)).toBe(false);
  });
});

describe("a socket that is not QEMU's", () => {
  it.each([
    ["closes at once", (): string | null => null, /hung up/],
    ["speaks another language", () => "hello\n", /no QMP/],
    ["never ends a line", () => "x".repeat(5 * 1024 * 1024), /no end/],
  ])("that %s is refused", async (name, say, why) => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.sock`);
    const server: Server = createServer((socket) => {
      socket.on("error", () => {});
      const text = say();
      if (text === null) socket.destroy();
      else socket.write(text);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(attachTo(realDom0, { by: "qmp", socket: path }).has("x")).rejects.toThrow(why);
    await new Promise((resolve) => server.close(resolve));
  });
  it("nor one where nobody listens", async () => {
    await expect(attachTo(realDom0, { by: "qmp", socket: join(folder, "nobody") }).has("x")).rejects.toThrow(/ENOENT/);
  });
});

/** As libxl of Xen 4.20 says it where its script may not do its work. */
const SCRIPT_FAILED = `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [1886] exited with error status 1
libxl: error: libxl_device.c:1495:device_addrm_aocomplete: Domain 1:Unable to add vbd with id 51856
libxl_device_disk_add failed.
`;

describe("a guest under Xen", () => {
  /** xl's tables, as xl(1) prints them, over a list of what is attached. */
  function xen() {
    const dom0 = simDom0();
    const asked: string[][] = [];
    const runs = { id: 7, isPaused: false, isOver: false };
    const disks = new Map<string, string>();
    const usb = new Set<string>();
    dom0.program("xl", (args) => {
      asked.push([...args]);
      const [command, guest, what] = args as [string, string, string];
      if (command === "list") {
        const state = runs.isOver ? "---s--" : runs.isPaused ? "--p---" : "r-----";
        const rows = ["Domain-0   0  1024  1  r-----  12.3", `desk       ${runs.id}   512  1  ${state}   4.5`];
        return { stdout: ["Name  ID  Mem  VCPUs  State  Time(s)", ...rows.slice(0, runs.id === 0 ? 1 : 2)].join("\n") };
      }
      if (guest !== "desk" || runs.id === 0)
        return { code: 1, stderr: `${guest} is an invalid domain identifier (rc=-6)` };
      switch (command) {
        case "block-list": {
          const rows = [...disks.keys()].map(
            (name) => `${51712 + (name.charCodeAt(3) - 97) * 16} 0  7  4  -1  -1  /local/domain/0/backend`,
          );
          return { stdout: ["Vdev  BE  handle state evt-ch ring-ref BE-path", ...rows].join("\n") };
        }
        case "block-attach":
          if (what.includes("target=/lost/")) return { code: 1, stderr: SCRIPT_FAILED };
          disks.set(/vdev=(\w+)/.exec(what)![1]!, what);
          return {};
        case "block-detach":
          return disks.delete(what) ? {} : { code: 1, stderr: "Error: Device not connected" };
        case "usb-list": {
          const hex = (number: string | undefined) => Number(number).toString(16).padStart(3, "0");
          const ports = [...usb].map((each, at) => {
            const [bus, address] = each.split(".");
            return `  Port ${at + 1}: Bus ${hex(bus)} Device ${hex(address)}`;
          });
          return {
            stdout: [
              "Devid  Type         BE  state usb-ver ports",
              "0      devicemodel  0   0     2      8   ",
              ...ports,
            ].join("\n"),
          };
        }
        case "usbdev-attach":
          // as xl's reader of words: what follows the first = is the value, commas and all
          if (what !== "type=hostdev") return { code: 1, stderr: "Invalid usb device type: (null)" };
          usb.add(
            args
              .slice(3)
              .map((word) => /^host(?:bus|addr)=(\d+)$/.exec(word)![1])
              .join("."),
          );
          return {};
        case "usbdev-detach":
          usb.clear();
          return {};
        default:
          return { code: 2 };
      }
    });
    return {
      attach: attachTo(dom0, { by: "xl", guest: "desk" }),
      asked,
      disks,
      usb,
      runs,
      lost: attachTo(dom0, { by: "xl", guest: "gone" }),
    };
  }
  it("gets an image raw and read-only, under a name of its own, and gives it back", async () => {
    const { attach, asked, disks } = xen();
    const handle = await attach.planImage([]);
    expect(handle).toBe("xvdi");
    await attach.image(handle, "/images/a.img");
    expect(asked.at(-1)).toEqual(["block-attach", "desk", "format=raw,vdev=xvdi,access=ro,target=/images/a.img"]);
    expect(await attach.has(handle)).toBe(true);
    expect(await attach.planImage(["xvdj"])).toBe("xvdk");
    await attach.detach(handle);
    await attach.detach(handle);
    expect(disks.size).toBe(0);
  });
  it("that does not take an image is said with libxl's first reason, not its last words", async () => {
    await expect(xen().attach.image("xvdi", "/lost/a.img")).rejects.toThrow(
      "xl block-attach for guest desk failed: /etc/xen/scripts/block add [1886] exited with error status 1",
    );
  });
  it("has eight at most", async () => {
    const { attach } = xen();
    await expect(attach.planImage([..."ijklmnop"].map((letter) => `xvd${letter}`))).rejects.toThrow(/has 8 sticks/);
  });
  it("gets a device by its numbers of this plugging, and gives it back by its port", async () => {
    const { attach, asked } = xen();
    const handle = await attach.planDevice([], { bus: 11, address: 28 });
    await attach.device(handle, { bus: 11, address: 28 });
    expect(asked.at(-1)).toEqual(["usbdev-attach", "desk", "type=hostdev", "hostbus=11", "hostaddr=28"]);
    expect(await attach.has(handle)).toBe(true);
    await attach.detach(handle);
    expect(asked.at(-1)).toEqual(["usbdev-detach", "desk", "0", "1"]);
    expect(await attach.has(handle)).toBe(false);
  });
  it("is asked what it has still, and in which life: none once it has ended, another when it was started anew", async () => {
    const { attach, disks, usb, runs, asked } = xen();
    await attach.image("xvdi", "/images/a.img");
    await attach.device("usb:1.7", { bus: 1, address: 7 });
    const both = ["xvdi", "usb:1.7"];
    expect(await attach.holds(both)).toEqual({ guest: "7", isReady: true, has: both });
    usb.clear();
    runs.isPaused = true;
    expect(await attach.holds(both)).toEqual({ guest: "7", isReady: false, has: ["xvdi"] });
    runs.isOver = true;
    expect(await attach.holds(both)).toEqual({ guest: undefined, isReady: false, has: [] });
    Object.assign(runs, { id: 8, isPaused: false, isOver: false });
    disks.clear();
    expect(await attach.holds(["xvdi"])).toEqual({ guest: "8", isReady: true, has: [] });
    runs.id = 0;
    asked.length = 0;
    // with it has gone what it had, so there is nothing to ask it for
    await attach.detach("xvdi");
    expect(asked).toEqual([["list"]]);
    expect(await attach.holds(["xvdi"])).toEqual({ guest: undefined, isReady: false, has: [] });
  });
  it("that does not run is said in xl's words", async () => {
    await expect(xen().lost.planImage([])).rejects.toThrow(/guest gone failed: gone is an invalid domain/);
  });
});
