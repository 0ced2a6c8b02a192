/** What the gate says to a guest: to a real QEMU over its machine protocol, and to xl by the words of its manual. What any
 *  guest promises is in guest.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attach } from "../../src/dom0/attach.ts";
import { attachTo } from "../../src/dom0/attach-to.ts";
import { DoorError } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { missing } from "../gate/packages.ts";
import { type Qemu, qemu } from "./qemu.ts";
import { xen } from "./xen-words.ts";

const absent = missing("qemu-system-x86_64");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-attach-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(absent !== null)("a guest in QEMU", () => {
  let guest: Qemu;
  let attach: Attach;
  let image: string;
  beforeAll(async () => {
    image = join(folder, "stick.img");
    // a content that names another format: it must not choose how it is read
    writeFileSync(image, Buffer.concat([Buffer.from("QFI\xfb\x00\x00\x00\x03", "latin1"), Buffer.alloc(1024 * 1024)]));
    guest = qemu(folder);
    attach = guest.attach;
    await guest.begin();
  });
  afterAll(() => guest.end());

  it("leaves nothing behind of an image that it does not take", async () => {
    const handle = await attach.planImage([]);
    await expect(attach.image(handle, join(folder, "none.img"))).rejects.toThrow(/QEMU refuses blockdev-add/);
    await attach.image(handle, image);
    await expect(attach.image(handle, image)).rejects.toThrow(DoorError);
    await attach.detach(handle);
    await attach.image(handle, image);
    await attach.detach(handle);
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

describe("a guest under Xen", () => {
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
