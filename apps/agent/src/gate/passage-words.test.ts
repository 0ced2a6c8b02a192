/** What a stick can make of the records about it. */
import { CONTENT_BYTES_MAX } from "@sallyport/shared/record/content.ts";
import {
  UsbAttachBody,
  UsbDeviceBody,
  UsbRemovedBody,
  UsbRequestBody,
  UsbStepBody,
  UsbVerdictBody,
} from "@sallyport/shared/record/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { prepare } from "../spool/prepare.ts";
import type { Delivery } from "./passage-state.ts";
import * as words from "./passage-words.ts";

const device: UsbDevice = {
  ...{ port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: "60A4", name: "DataTraveler", maker: "Kingston" },
  ...{ interfaces: ["08:06:50"], interfaceCount: 1, speed: "480", connectType: "hotplug" },
  ...{ descriptors: "a".repeat(64), hash: "h", parentHash: "p" },
};
const NAME = "\u0001".repeat(512);

it("that the guest has a stick is on record whatever names its files have, with how many there are", () => {
  const leftOut = {
    count: 900,
    first: Array.from({ length: 64 }, () => ({ name: NAME, why: "symlink: no regular file" })),
  };
  const renamed = { count: 800, first: Array.from({ length: 64 }, () => ({ name: NAME, as: "_".repeat(512) })) };
  const copy: Delivery = { mode: "rebuild", verified: true, files: 1_000, leftOut, renamed };
  const whole: Delivery = { mode: "image", verified: false, files: 9, unlisted: Array(64).fill("\u8a9e".repeat(1024)) };
  for (const [delivery, shows] of [
    [copy, ["leftOut", "renamed"]],
    [whole, ["unlisted"]],
  ] as const) {
    const record = words.attached({ device, images: [], handles: ["xvdi"] }, delivery, 0);
    const { kind, content } = prepare(record);
    expect(kind).toBe("usb.attach");
    expect(content.length).toBeLessThanOrEqual(CONTENT_BYTES_MAX);
    const body = UsbAttachBody.parse(record.body);
    expect([body.leftOut?.count, body.renamed?.count]).toEqual([delivery.leftOut?.count, delivery.renamed?.count]);
    for (const list of shows)
      expect(list === "unlisted" ? body.unlisted?.length : body[list]?.first.length).toBeGreaterThan(8);
  }
  const few: Delivery = {
    ...copy,
    leftOut: { count: 1, first: leftOut.first.slice(0, 1) },
    renamed: { count: 0, first: [] },
  };
  expect(words.attached({ device, images: [], handles: [] }, few, 0).body).toMatchObject({ leftOut: few.leftOut });
});

/** Text of each length that some bound has, in what takes most bytes, what no line shows, and half a character. */
const text = fc
  .tuple(
    fc.constantFrom("a", "\u8a9e", "\u0001", "\ud83d\ude00", "\ud83d", '"', "\n"),
    fc.constantFrom(0, 1, 127, 511, 1023, 1024, 4096, 5000),
  )
  .map(([letter, length]) => letter.repeat(length).slice(0, length));
/** As a device's claims are read: bounded, and whole characters. */
const claim = text.map((said) => said.slice(0, 512).toWellFormed());
const images = fc
  .integer({ min: 1, max: 16 })
  .map((count) =>
    Array.from({ length: count }, (_, lun) => ({ lun, bytes: 2 ** 40, sha256: "c".repeat(64), file: `unit${lun}` })),
  );
const listed = { files: Number.MAX_SAFE_INTEGER, manifest: "d".repeat(64) };
const BODIES = {
  "usb.device": UsbDeviceBody,
  "usb.step": UsbStepBody,
  "usb.verdict": UsbVerdictBody,
  "usb.attach": UsbAttachBody,
  "usb.removed": UsbRemovedBody,
  "usb.request": UsbRequestBody,
};

it("whatever a stick, a rule or a fault says, the record of a step is whole and of its kind", () => {
  fc.assert(
    fc.property(
      fc.record({ serial: claim, name: claim, maker: claim }),
      images,
      text,
      text,
      fc.array(text, { maxLength: 64 }),
      fc.constantFrom("device", "contents"),
      (claims, images, rule, reason, names, about) => {
        const stick: UsbDevice = { ...device, ...claims, interfaces: Array(256).fill("08:06:50") };
        const worst: ScanBody = { verdict: "hold", reason, rule, manifest: [], scanner: null };
        const each = names.map((name) => ({
          name: name.slice(0, 512),
          as: name.slice(0, 512),
          why: name.slice(0, 1024),
        }));
        const delivery: Delivery = {
          ...{ mode: "rebuild", verified: true, files: 1, unlisted: names.map((name) => name.slice(0, 1024)) },
          leftOut: { count: 9_000, first: each },
          renamed: { count: 9_000, first: each },
        };
        const records = [
          words.seen(stick, 0),
          words.unreadable(stick.port, words.held(stick, 0).text.slice(0, 100), reason, 0),
          words.held(stick, 0),
          words.classified(stick, { outcome: "read", rule, reason }, 0),
          words.judged(stick, { rule, reason }, 0, about),
          words.copied({ device: stick, images }, 0),
          words.sealed({ device: stick, images }, 0),
          words.listed({ device: stick, images, listed }, 0),
          words.decided(stick, listed, reason, 0),
          ...words.sum(stick, [worst, worst], worst, 0),
          words.request(stick, listed, images, worst, { workstation: "w", hash: sha256 }, 0),
          words.attached({ device: stick, images, handles: names.map((name) => name.slice(0, 256)) }, delivery, 0),
          words.refused(stick, "sealed", reason, 0),
          words.removed(stick, "sealed", reason, 0),
          words.lost(stick, reason, 0),
        ];
        for (const record of records) {
          expect([prepare(record).kind, record.text.length <= 500]).toEqual([record.kind, true]);
          BODIES[record.kind as keyof typeof BODIES].parse(record.body);
        }
      },
    ),
  );
});
