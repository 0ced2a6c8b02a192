/** What the gate writes into the bodies of its kinds. Reading stays open (kinds.ts): these grow, and older ones are
 *  shown as they are. `stick` ties the records of one plugging in. */
import { z } from "zod";
import { UsbDevice } from "../usb/device.ts";
import { Verdict } from "../usb/scan.ts";

export const GATE_STEPS = [
  "seen",
  "held",
  "classified",
  "copied",
  "sealed",
  "listed",
  "scanned",
  "decided",
  "attached",
  "removed",
] as const;
export const GateStep = z.enum(GATE_STEPS);
export type GateStep = z.infer<typeof GateStep>;

const stick = z.string().max(128);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const reason = z.string().max(1024);

/** `usb.device`: seen at a port. Without `device` its descriptors could not be read, and `problem` says why. */
export const UsbDeviceBody = z.object({ stick, device: UsbDevice.optional(), problem: reason.optional() });
export type UsbDeviceBody = z.infer<typeof UsbDeviceBody>;

/** One logical unit of a stick, and its image once it has one. */
export const UsbUnit = z.object({ lun: z.int().min(0), bytes: z.int().min(0), sha256: sha256.optional() });
export type UsbUnit = z.infer<typeof UsbUnit>;

/** `usb.step`. `refused`: it went no further than `step`. `share`: how much of it is copied, from 0 to 1. */
export const UsbStepBody = z.object({
  stick,
  step: GateStep,
  refused: z.boolean().optional(),
  reason: reason.optional(),
  units: z.array(UsbUnit).max(64).optional(),
  share: z.number().min(0).max(1).optional(),
  manifest: sha256.optional(),
  files: z.int().min(0).optional(),
  /** The first unit's, so that a stick's records tie to its scan. */
  imageSha256: sha256.optional(),
});
export type UsbStepBody = z.infer<typeof UsbStepBody>;

/** `usb.verdict`. `about` the device by its rules, before any driver; or its contents, where an exception or the sum of
 *  several units decides. A single unit's verdict stands in its `usb.scan`. */
export const UsbVerdictBody = z.object({
  stick,
  verdict: Verdict,
  rule: z.string().max(4096),
  reason,
  about: z.enum(["device", "contents"]),
  exception: sha256.optional(),
});
export type UsbVerdictBody = z.infer<typeof UsbVerdictBody>;

/** `device`: the real device, contents not verified. `dom0`: a hub, or a pinned keyboard, for dom0's own use. */
export const UsbMode = z.enum(["rebuild", "image", "device", "dom0"]);
export type UsbMode = z.infer<typeof UsbMode>;

const name = z.string().max(512);

/** `usb.attach`: what the guest got. `leftOut` and `renamed` name the first ones and count all. */
export const UsbAttachBody = z.object({
  stick,
  mode: UsbMode,
  /** False: nobody has looked at its contents, or not at all of them. */
  verified: z.boolean(),
  handles: z.array(z.string().max(256)).max(64),
  units: z.array(UsbUnit).max(64),
  imageSha256: sha256.optional(),
  files: z.int().min(0).optional(),
  /** Of an image: what it holds that is in no listed file, the first ones; then it is not `verified`. */
  unlisted: z.array(reason).max(64).optional(),
  leftOut: z.object({ count: z.int().min(0), first: z.array(z.object({ name, why: reason })) }).optional(),
  renamed: z.object({ count: z.int().min(0), first: z.array(z.object({ name, as: name })) }).optional(),
});
export type UsbAttachBody = z.infer<typeof UsbAttachBody>;

/** `usb.removed`: it is gone, or what the guest had was taken back. `after` is the step it had reached. */
export const UsbRemovedBody = z.object({ stick, after: GateStep, reason });
export type UsbRemovedBody = z.infer<typeof UsbRemovedBody>;

/** `usb.scanner`: what the scanner has, once for each change. `definitions` and `date` are null where they name neither;
 *  `set` and `files` where a policy names them and the scanner was seen to have them. */
export const UsbScannerBody = z.object({
  engine: z.string().max(128).nullable(),
  definitions: z.string().max(64).nullable(),
  date: z.iso.datetime().nullable(),
  set: sha256.optional(),
  files: z
    .array(z.object({ name: z.string().max(128), sha256 }))
    .max(32)
    .optional(),
  state: z.enum(["current", "stale", "absent"]),
  reason,
});
export type UsbScannerBody = z.infer<typeof UsbScannerBody>;

/** `usb.gate`: whether dom0 holds what is plugged in, once for each change. */
export const UsbGateBody = z.object({ state: z.enum(["gated", "ungated"]), reason });
export type UsbGateBody = z.infer<typeof UsbGateBody>;

/** `usb.request`: held, and a person may make an exception of it. `device` and `manifest` are what one is bound to. */
export const UsbRequestBody = z.object({
  stick,
  /** Of the device and the manifest, so that plugging it in again asks nothing new. */
  request: sha256,
  descriptors: sha256,
  /** USBGuard's hash of the one stick; absent from an agent that does not tell two of one model apart. */
  device: z.string().max(64).optional(),
  manifest: sha256,
  /** Where policy presents images: all units' in order, and then an exception is bound to them as well. */
  images: z
    .array(z.object({ bytes: z.int().min(0), sha256 }))
    .min(1)
    .max(16)
    .optional(),
  files: z.int().min(0),
  rule: z.string().max(4096),
  reason,
});
export type UsbRequestBody = z.infer<typeof UsbRequestBody>;
