/** Where a device stands on its way through the gate, what may happen to it there, and what is then to be done: the words
 *  that the gate's pure rules (passage.ts) and those who carry them out have in common. */
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { GateStep, UsbAttachBody, UsbMode } from "@sallyport/shared/record/usb.ts";
import type { UsbDevice, UsbPin } from "@sallyport/shared/usb/device.ts";
import type { Exception, Grounds } from "@sallyport/shared/usb/exception.ts";
import type { Circumstances } from "@sallyport/shared/usb/rules/match.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";

/** A logical unit's image on the gate's volume. */
export type Image = { lun: number; bytes: number; sha256: string; file: string };
export type Listed = { files: number; manifest: string };
/** `handle` names one thing the guest has, chosen before it gets it, so that a crash in between leaves no doubt. */
export type Delivery = Omit<UsbAttachBody, "stick" | "handles" | "units">;

/** What the guest gets of what was scanned: never the stick itself, whose contents nothing can bind. */
export type Gift = Exclude<UsbMode, "device" | "dom0">;

export type GateState =
  | { step: "seen"; device: UsbDevice }
  | { step: "held"; device: UsbDevice }
  | { step: "classified"; device: UsbDevice; way: "read" | "direct" | "dom0"; handles: string[] }
  | { step: "copied"; device: UsbDevice; images: Image[] }
  | { step: "sealed"; device: UsbDevice; images: Image[] }
  | { step: "listed"; device: UsbDevice; images: Image[]; listed: Listed }
  | { step: "scanned"; device: UsbDevice; images: Image[]; listed: Listed; scans: ScanBody[] }
  | {
      step: "decided";
      device: UsbDevice;
      images: Image[];
      listed: Listed;
      scans: ScanBody[];
      /** `hold` waits for an exception, or for the stick to go. */
      verdict: "allow" | "hold";
      mode: Gift;
      grounds: Grounds;
      /** The statement that lets it pass; with its end the guest loses it. */
      exception?: string;
      handles: string[];
    }
  | { step: "attached"; device: UsbDevice; images: Image[]; mode: UsbMode; handles: string[]; exception?: string }
  | { step: "removed"; device: UsbDevice; after: GateStep }
  | { step: "refused"; device: UsbDevice; at: GateStep; reason: string };

export type GateEvent =
  | { event: "held" }
  | { event: "classify"; circumstances: Circumstances }
  | { event: "copied"; images: Image[] }
  | { event: "sealed" }
  | { event: "listed"; listed: Listed }
  | { event: "scanned"; scans: ScanBody[] }
  /** Also when exceptions have come or gone. */
  | { event: "decide"; exceptions: readonly Exception[]; floor: number }
  /** The sealed images once more, with definitions that came since. */
  | { event: "rescanned"; scans: ScanBody[]; exceptions: readonly Exception[]; floor: number }
  | { event: "planned"; handles: string[] }
  | { event: "attached"; delivery: Delivery }
  | { event: "pulled" }
  /** The guest has it no more, and nobody here took it. */
  | { event: "lost"; reason: string }
  /** With a verdict where a rule says from now on that it may not be where it is. */
  | { event: "failed"; reason: string; verdict?: { rule: string; about: "device" | "contents" } };

export type GateAct =
  | { act: "hold" | "classify" | "copy" | "seal" | "scan" | "decide" | "authorise" | "detach" | "discard" }
  /** Make what the guest gets, and choose its handles. */
  | { act: "deliver"; mode: UsbMode; grounds: Grounds }
  | { act: "attach"; mode: UsbMode; handles: string[] };

export type Rules = {
  policy: UsbSection;
  /** What the deny overlay blocks now. Pins stand before it: a keyboard for the pass phrase is not taken from afar. */
  denied: readonly OverlayEntry[];
  pins: readonly UsbPin[];
  workstation: string;
  hash: Hash;
};
export type Next = { state: GateState; acts: GateAct[]; records: Observation[] };

/** The state of one step. */
export type Stands<S extends GateState["step"]> = Extract<GateState, { step: S }>;
