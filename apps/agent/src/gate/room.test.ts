/** What a stick needs, what stays free, and the words where they do not fit together. */
import { expect, it } from "vitest";
import { imageBytesMax } from "./rebuild/exfat.ts";
import { hasRoom, keptFree, stickBytes } from "./room.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const space = (more: object = {}) => ({
  ...{ folder: "/v", freeBytes: 10 * GIB, sizeBytes: 20 * GIB, spoolBytes: undefined, ...more },
});

it("a stick needs its image and, where files are handed over, a copy of each unit", () => {
  const units = [{ bytes: 100 * MIB }, { bytes: 50 * MIB }];
  expect(stickBytes(units, false)).toBe(150 * MIB);
  expect(stickBytes(units, true)).toBe(150 * MIB + imageBytesMax(100 * MIB, 1) + imageBytesMax(50 * MIB, 1));
});

it("beside the spool, what that may still grow by stays free; of a small disk a quarter", () => {
  expect(keptFree(space(), GIB)).toBe(16 * MIB);
  // contents, entries, and the log before them
  expect(keptFree(space({ spoolBytes: 0 }), GIB)).toBe(16 * MIB + 2 * GIB + 16 * MIB);
  expect(keptFree(space({ spoolBytes: 2 * GIB }), GIB)).toBe(16 * MIB + 16 * MIB);
  expect(keptFree(space({ spoolBytes: 4 * GIB }), GIB)).toBe(16 * MIB);
  expect(keptFree(space({ spoolBytes: 0, sizeBytes: 80 * MIB }), GIB)).toBe(36 * MIB);
});

it("what others may still take is not free; the refusal says what is needed, what is free, and what to do", () => {
  const left = { space: space({ freeBytes: 100 * MIB }), spoolBytesMax: GIB };
  expect(hasRoom(84 * MIB, { ...left, others: 0 }).ok).toBe(true);
  expect(hasRoom(84 * MIB, { ...left, others: 1 }).ok).toBe(false);
  expect(hasRoom(50 * MIB, { ...left, others: 40 * MIB })).toEqual({
    ok: false,
    error: `${50 * MIB} bytes are needed and ${44 * MIB} are free for it (${100 * MIB} on the gate's volume, less ${40 * MIB} that other sticks may still take and ${16 * MIB} that stay free for records). Pull out sticks that are done with, make room in /v, or give the gate a larger volume (usb.volume, docs/usb-gate.md), and plug it in again`,
  });
  expect(hasRoom(1, { ...left, others: 2 * GIB })).toMatchObject({ error: expect.stringContaining("0 are free") });
});
