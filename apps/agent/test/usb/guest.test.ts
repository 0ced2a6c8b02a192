/** What a guest promises the gate, by each way there is to it: QEMU itself, xl by the words of its manual, and the pretend
 *  one that the gate's own tests stand on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Attach } from "../../src/dom0/attach.ts";
import { DoorError } from "../../src/dom0/dom0.ts";
import { simGuest } from "../../src/sim/guest.ts";
import { missing } from "../gate/packages.ts";
import { qemu } from "./qemu.ts";
import { xen } from "./xen-words.ts";

type Place = { attach: Attach; begin(): Promise<void>; end(): Promise<void> };

const folder = mkdtempSync(join(tmpdir(), "sallyport-guest-"));
const image = join(folder, "stick.img");
beforeAll(() => writeFileSync(image, Buffer.alloc(1024 * 1024)));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function byXl(): Place {
  const { attach, runs, disks, usb } = xen();
  let lives = runs.id;
  return {
    attach,
    async begin() {
      runs.id = lives++;
    },
    async end() {
      runs.id = 0;
      disks.clear();
      usb.clear();
    },
  };
}
function pretend(): Place {
  const guest = simGuest(mkdtempSync(join(folder, "pretend-")));
  return { attach: guest, begin: async () => guest.begin(), end: async () => guest.end() };
}

describe.each([
  { name: "in QEMU", make: () => qemu(mkdtempSync(join(folder, "qemu-"))), absent: missing("qemu-system-x86_64") },
  { name: "under Xen, by xl's words", make: byXl, absent: null },
  { name: "that is a pretend one", make: pretend, absent: null },
])("a guest $name", ({ make, absent }) => {
  let place: Place;
  let attach: Attach;
  beforeEach(async () => {
    if (absent !== null) return;
    place = make();
    attach = place.attach;
    await place.begin();
  });
  afterEach(async () => {
    if (absent === null) await place.end();
  });

  it.skipIf(absent !== null)("gets an image, keeps it until it is taken back, and may get it again", async () => {
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
  it.skipIf(absent !== null)("has nothing of an image that is not there, and one stick by one handle", async () => {
    const handle = await attach.planImage([]);
    await expect(attach.image(handle, "/lost/stick.img")).rejects.toThrow(DoorError);
    expect(await attach.has(handle)).toBe(false);
    await attach.image(handle, image);
    await expect(attach.image(handle, image)).rejects.toThrow(DoorError);
    expect(await attach.has(handle)).toBe(true);
    await attach.detach(handle);
    expect(await attach.has(handle)).toBe(false);
  });
  it.skipIf(absent !== null)("has eight sticks at most", async () => {
    const taken: string[] = [];
    for (let number = 0; number < 8; number++) taken.push(await attach.planImage(taken));
    expect(new Set(taken).size).toBe(8);
    await expect(attach.planImage(taken)).rejects.toThrow(/8 sticks already/);
    for (const handle of taken) await attach.image(handle, image);
    await expect(attach.planImage([])).rejects.toThrow(/8 sticks already/);
  });
  it.skipIf(absent !== null)(
    "that ends loses what it had, is asked for none of it, and is another when it begins again",
    async () => {
      const handle = await attach.planImage([]);
      await attach.image(handle, image);
      const before = await attach.holds([handle, "another"]);
      expect(before).toEqual({ guest: expect.any(String), isReady: true, has: [handle] });
      await place.end();
      expect(await attach.holds([handle])).toEqual({ guest: undefined, isReady: false, has: [] });
      await attach.detach(handle);
      await expect(attach.image(handle, image)).rejects.toThrow(DoorError);
      await expect(attach.planImage([])).rejects.toThrow(DoorError);
      await expect(attach.has(handle)).rejects.toThrow(DoorError);
      await place.begin();
      const after = await attach.holds([handle]);
      expect(after).toEqual({ guest: expect.any(String), isReady: true, has: [] });
      expect(after.guest).not.toBe(before.guest);
      await attach.image(await attach.planImage([]), image);
    },
  );
});
