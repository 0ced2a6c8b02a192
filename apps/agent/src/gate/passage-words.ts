/** A passage's steps → records: one line for people, and the body of the kind. */
import { plural } from "@sallyport/shared/base/count.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import type {
  GateStep,
  UsbAttachBody,
  UsbDeviceBody,
  UsbRemovedBody,
  UsbRequestBody,
  UsbStepBody,
  UsbVerdictBody,
} from "@sallyport/shared/record/usb.ts";
import { stickId, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import { type Exception, handsOver, requestId } from "@sallyport/shared/usb/exception.ts";
import type { Judgement } from "@sallyport/shared/usb/judge.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Delivery, Gift, Image, Listed } from "./passage-state.ts";
import { recordRoom } from "./record-room.ts";
import { scanObservations } from "./records.ts";

const TEXT_CHARS_MAX = 500;
/** Of names that a stick gave, in each list of a record. */
const NAMES_BYTES_MAX = 64 * 1024;

type Bodies = {
  "usb.device": UsbDeviceBody;
  "usb.step": UsbStepBody;
  "usb.verdict": UsbVerdictBody;
  "usb.attach": UsbAttachBody;
  "usb.removed": UsbRemovedBody;
  "usb.request": UsbRequestBody;
};

function write<K extends keyof Bodies>(
  kind: K,
  severity: Severity,
  time: number,
  text: string,
  body: Bodies[K],
): Observation {
  const line = escapeForDisplay(text).slice(0, TEXT_CHARS_MAX).toWellFormed();
  return { kind, severity, time, text: line, body: JSON.parse(JSON.stringify(body), whole) } as Observation;
}

/** A name may be cut in the middle of a character, and half of one has no place in a record. */
const whole = (_key: string, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value);

const cut = (text: string, most = 1024): string => text.slice(0, most).toWellFormed();
/** A rule's text. */
const cutRule = (rule = ""): string => cut(rule, 4096);
const MIB = 1024 * 1024;
const megabytes = (bytes: number): string => (bytes < MIB ? `${bytes} bytes` : `${Math.round(bytes / MIB)} MiB`);
const units = (images: readonly Image[]) => images.map(({ lun, bytes, sha256 }) => ({ lun, bytes, sha256 }));
const total = (images: readonly { bytes: number }[]): number => images.reduce((sum, { bytes }) => sum + bytes, 0);
const first = (images: readonly Image[]) => (images[0] ? { imageSha256: images[0].sha256 } : {});
const step = (device: UsbDevice, name: GateStep, time: number, text: string, more: Partial<UsbStepBody> = {}) =>
  write("usb.step", "info", time, `Port ${device.port}: ${text}`, { stick: stickId(device), step: name, ...more });

export function seen(device: UsbDevice, time: number): Observation {
  const { port, id, maker, name, interfaces } = device;
  const claims = [maker, name].filter(Boolean).join(" ") || "no name";
  const text = `A device at port ${port}: ${id}, claims to be ${JSON.stringify(claims)}, ${interfaces.join(", ") || "no interface"}`;
  return write("usb.device", "notice", time, text, { stick: stickId(device), device });
}

/** Its descriptors do not add up: it stays held and goes no further. */
export const unreadable = (port: string, stick: string, problem: string, time: number): Observation =>
  write("usb.device", "error", time, `A device at port ${port} cannot be judged and stays held: ${problem}`, {
    stick,
    problem: cut(problem),
  });

/** Another program let new devices in. */
export const flipped = (controller: string, was: string, time: number): Observation =>
  write("usb.device", "error", time, `Controller ${controller} let new devices in; it holds them again`, {
    stick: controller,
    problem: `authorized_default was ${was.slice(0, 8)}, and is 0 again`,
  });

/** They were never judged, so that what waits for room stays bounded. */
export const passedOver = (count: number, time: number): Observation =>
  write("usb.device", "error", time, `${count} devices came and went unjudged; they were held all the time`, {
    stick: "usb",
    problem: "there was no room for records: each gets a record of its own again now",
  });

export const held = (device: UsbDevice, time: number): Observation =>
  step(device, "held", time, "held; no driver may bind to it");

export const classified = (device: UsbDevice, { outcome, rule, reason }: Judgement, time: number): Observation => {
  const what = {
    read: "may be read by dom0",
    direct: "goes to the guest itself, contents not verified",
    dom0: "is for dom0's own use",
    block: "is blocked",
  };
  return step(device, "classified", time, `${what[outcome]}: ${reason} (${rule})`, {
    reason: cut(`${reason} (${rule})`),
  });
};

export const judged = (
  device: UsbDevice,
  { rule, reason }: Pick<Judgement, "rule" | "reason">,
  time: number,
  about: "device" | "contents" = "device",
): Observation =>
  write("usb.verdict", "error", time, `Port ${device.port}: blocked, ${reason}`, {
    stick: stickId(device),
    verdict: "block",
    rule: cutRule(rule),
    reason: cut(reason),
    about,
  });

export const copying = (device: UsbDevice, bytes: number, of: number, time: number): Observation => {
  const share = of === 0 ? 1 : bytes / of;
  const text = `reading, ${Math.floor(share * 100)} % of ${megabytes(of)}`;
  return step(device, "classified", time, text, { share: Math.min(1, share) });
};

export const copied = ({ device, images }: { device: UsbDevice; images: Image[] }, time: number): Observation =>
  step(device, "copied", time, `read once, ${megabytes(total(images))}, and cut off`, {
    units: units(images),
    ...first(images),
  });

export const sealed = ({ device, images }: { device: UsbDevice; images: Image[] }, time: number): Observation =>
  step(device, "sealed", time, `sealed, sha256 ${images.map(({ sha256 }) => sha256.slice(0, 16)).join(", ")}`, {
    units: units(images),
    ...first(images),
  });

export const listed = (
  { device, images, listed: { files, manifest } }: { device: UsbDevice; images: Image[]; listed: Listed },
  time: number,
): Observation =>
  step(device, "listed", time, `${plural(files, "file")} listed`, { files, manifest, ...first(images) });

/** The whole manifests, in as many records as it takes, then the step. */
export function scanned(
  {
    device,
    images,
    scans,
    listed: { files, manifest },
  }: { device: UsbDevice; images: Image[]; scans: ScanBody[]; listed: Listed },
  hash: Hash,
  time: number,
): Observation[] {
  return [
    ...scans.flatMap((body) => scanObservations(body, time, hash)),
    step(device, "scanned", time, `${plural(files, "file")} scanned`, { files, manifest, ...first(images) }),
  ];
}

export const definitionsOf = ({ scanner }: Pick<ScanBody, "scanner">): string =>
  scanner ? `${scanner.engine}, definitions ${scanner.definitions ?? "without a version"}` : "no scanner";

/** The images that dom0 still holds, once more: what the stick passed with is a record as well. */
export function rescanned(device: UsbDevice, scans: readonly ScanBody[], hash: Hash, time: number): Observation[] {
  const by = [...new Set(scans.map(definitionsOf))].join("; ");
  const files = scans.reduce((sum, { manifest }) => sum + manifest.length, 0);
  return [
    ...scans.flatMap((body) => scanObservations(body, time, hash)),
    step(device, "scanned", time, `${plural(files, "file")} scanned again with ${by}`, { files }),
  ];
}

/** One unit's verdict stands in its scan; of several, the worst is the stick's and is said here. */
export const sum = (device: UsbDevice, scans: readonly ScanBody[], worst: ScanBody, time: number): Observation[] =>
  scans.length === 1
    ? []
    : [
        write(
          "usb.verdict",
          worst.verdict === "block" ? "error" : "warning",
          time,
          `Port ${device.port}: ${worst.verdict}, ${worst.reason}`,
          {
            stick: stickId(device),
            verdict: worst.verdict,
            rule: cutRule(worst.rule),
            reason: cut(worst.reason),
            about: "contents",
          },
        ),
      ];

export const decided = (device: UsbDevice, { files, manifest }: Listed, what: string, time: number): Observation =>
  step(device, "decided", time, what, { reason: cut(what), files, manifest });

export function excepted(
  device: UsbDevice,
  { digest, reason, notAfter, images }: Exception,
  given: Gift,
  time: number,
): Observation {
  const over = handsOver(given === "image" ? { images } : {});
  const text = `Port ${device.port}: allowed until ${notAfter} by an exception: ${reason}; handed over is ${over}`;
  return write("usb.verdict", "warning", time, text, {
    stick: stickId(device),
    verdict: "allow",
    rule: "exception",
    reason: cut(reason),
    about: "contents",
    exception: digest,
  });
}

export function request(
  device: UsbDevice,
  { files, manifest }: Listed,
  images: readonly Image[] | undefined,
  worst: ScanBody,
  { workstation, hash }: { workstation: string; hash: Hash },
  time: number,
): Observation {
  const whole = images && { images: images.map(({ bytes, sha256 }) => ({ bytes, sha256 })) };
  const bound = { descriptors: device.descriptors, device: device.hash, manifest, ...whole };
  const text = `Port ${device.port}: an exception is asked for, ${plural(files, "file")}${whole ? ` and all else in ${megabytes(total(images))}` : ""}: ${worst.reason}`;
  return write("usb.request", "warning", time, text, {
    stick: stickId(device),
    request: requestId(hash, { workstation, ...bound }),
    ...bound,
    files,
    rule: cutRule(worst.rule),
    reason: cut(worst.reason),
  });
}

export function attached(
  { device, images, handles }: { device: UsbDevice; images: Image[]; handles: string[] },
  delivery: Delivery,
  time: number,
): Observation {
  const what = {
    rebuild: `the guest has a fresh copy of ${plural(delivery.files ?? 0, "file")}`,
    image: delivery.verified
      ? "the guest has the sealed image, read-only"
      : "the guest has the sealed image, read-only, NOT ALL OF IT VERIFIED",
    device: "the guest has the device itself, CONTENTS NOT VERIFIED: it may answer otherwise each time it is read",
    dom0: "dom0 uses it",
  };
  const left = delivery.leftOut && delivery.leftOut.count > 0 ? `; ${delivery.leftOut.count} left out` : "";
  const severity = delivery.verified || delivery.mode === "dom0" ? "notice" : "warning";
  return write("usb.attach", severity, time, `Port ${device.port}: ${what[delivery.mode]}${left}`, {
    stick: stickId(device),
    handles,
    units: units(images),
    ...first(images),
    ...delivery,
    ...(delivery.unlisted && { unlisted: fitting(delivery.unlisted) }),
    ...(delivery.leftOut && { leftOut: { ...delivery.leftOut, first: fitting(delivery.leftOut.first) } }),
    ...(delivery.renamed && { renamed: { ...delivery.renamed, first: fitting(delivery.renamed.first) } }),
  });
}

const fitting = <T>(said: readonly T[]): T[] => said.filter(recordRoom(NAMES_BYTES_MAX));

export const refused = (device: UsbDevice, at: GateStep, reason: string, time: number): Observation =>
  write("usb.step", "warning", time, `Port ${device.port}: refused at ${at}, ${reason}`, {
    stick: stickId(device),
    step: at,
    refused: true,
    reason: cut(reason),
  });

export const removed = (device: UsbDevice, after: GateStep, reason: string, time: number): Observation =>
  write("usb.removed", "info", time, `Port ${device.port}: removed, ${reason}`, {
    stick: stickId(device),
    after,
    reason: cut(reason),
  });

export const lost = (device: UsbDevice, reason: string, time: number): Observation =>
  write("usb.removed", "warning", time, `Port ${device.port}: held, ${reason}`, {
    stick: stickId(device),
    after: "attached",
    reason: cut(reason),
  });

/** What the guest had before the agent started again is still what it has. */
export const kept = (device: UsbDevice, time: number): Observation =>
  step(device, "attached", time, "stays attached; the agent was started again");
