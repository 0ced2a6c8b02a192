/** What a stick can make of the records about it. */
import { CONTENT_BYTES_MAX } from "@sallyport/shared/record/content.ts";
import { UsbAttachBody } from "@sallyport/shared/record/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import { expect, it } from "vitest";
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
