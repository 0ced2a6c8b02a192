/** Records as they lie in a trail → the inputs of the decisions that they tell of. A device is told in one record and
 *  judged in a later one, a long manifest comes in parts: what is not whole yet is carried on to the next records. Pure. */
import { z } from "zod";
import { type GuestLog, type GuestSuppressed, GuestVia } from "../record/guest.ts";
import type { IdsAlert, IdsEvent, NetDrop } from "../record/ids.ts";
import type { KnownKind } from "../record/kinds.ts";
import { SEVERITIES } from "../record/severity.ts";
import { UsbDeviceBody, UsbStepBody, UsbVerdictBody } from "../record/usb.ts";
import { ruleFacts, UsbDevice } from "../usb/device.ts";
import type { ScanBody } from "../usb/scan.ts";
import { bucketMinutes, type Input, MINUTE_MS, ScanInput, type Seen } from "./input.ts";
import { narrow, narrowFiles } from "./narrow.ts";
import { alertInput, dropInput, flowInput } from "./traffic.ts";

/** Kinds that tell of a decision. */
export const GATHERED = [
  "usb.device",
  "usb.step",
  "usb.verdict",
  "usb.scan",
  "net.drop",
  "ids.alert",
  "ids.event",
  "guest.log",
  "guest.suppressed",
] as const satisfies readonly KnownKind[];
export type GatheredKind = (typeof GATHERED)[number];

/** `body` has its kind's shape. */
export type GatheredRecord = {
  index: number;
  timeMs: number;
  kind: string;
  /** Place in SEVERITIES. */
  severity: number;
  guest: string;
  body: unknown;
};

const PENDING_MAX = 64;
const Waits = z.object({ index: z.int(), timeMs: z.number() });
export const Pending = z.object({
  devices: z.record(z.string(), Waits.extend({ device: UsbDevice })),
  scans: z.record(z.string(), Waits.extend({ last: z.int(), have: z.int(), of: z.int(), input: ScanInput })),
});
export type Pending = z.infer<typeof Pending>;
export const noPending = (): Pending => ({ devices: {}, scans: {} });

export type Gathered = Omit<Seen, "trail" | "input"> & { input: Input; bytes: number };

/** `trail` names the record a scan's input is of. Changes `pending`. */
export function gather(trail: number, records: Iterable<GatheredRecord>, pending: Pending): Gathered[] {
  const found: Gathered[] = [];
  const add = (
    at: GatheredRecord,
    input: Input | undefined,
    more: { count?: number; bytes?: number; last?: number } = {},
  ) => {
    if (input) found.push(rowOf(at, input, more));
  };
  for (const record of records) {
    switch (record.kind as GatheredKind) {
      case "usb.device":
        noteDevice(pending, record);
        break;
      case "usb.step":
      case "usb.verdict": {
        const judged = judgedDevice(pending, record);
        if (judged) add({ ...record, ...judged.at }, judged.input);
        break;
      }
      case "usb.scan":
        for (const { at, last, input } of scans(trail, pending, record)) add({ ...record, ...at }, input, { last });
        break;
      case "net.drop":
        add(record, dropInput(record.body as NetDrop));
        break;
      case "ids.alert":
        add(record, alertInput(record.body as IdsAlert));
        break;
      case "ids.event":
        add(record, flowInput(record.body as IdsEvent));
        break;
      case "guest.log": {
        const { via, message } = record.body as GuestLog;
        const severity = SEVERITIES[record.severity];
        add(record, { kind: "lines", via, ...(severity && { severity }) }, { bytes: message.length });
        break;
      }
      case "guest.suppressed": {
        const { via, lines, bytes, since, reason } = record.body as GuestSuppressed;
        const line = GuestVia.safeParse(via); // what a guest has the detector or the firewall write is no line of its own
        const at = { ...record, timeMs: Date.parse(since) };
        if (line.success && (reason === "rate" || reason === "severity"))
          add(at, { kind: "lines", via: line.data, held: reason }, { count: lines, bytes });
        break;
      }
      default:
        break; // tells of no decision
    }
  }
  return found;
}

function rowOf(
  at: GatheredRecord,
  input: Input,
  { count = 1, bytes = 0, last = at.index }: { count?: number; bytes?: number; last?: number },
): Gathered {
  const minutes = bucketMinutes(input);
  const bucket = Math.max(0, Math.floor(at.timeMs / MINUTE_MS / minutes) * minutes);
  const ms = Math.max(0, at.timeMs - bucket * MINUTE_MS);
  const { guest, index } = at;
  return { bucket, input, guest, count, bytes, firstIndex: index, lastIndex: last, firstMs: ms, lastMs: ms };
}

function noteDevice({ devices }: Pending, { body, index, timeMs }: GatheredRecord): void {
  const read = UsbDeviceBody.safeParse(body);
  if (!read.success || !read.data.device) return;
  keep(devices, read.data.stick, { index, timeMs, device: read.data.device });
}

type Judged = { at: { index: number; timeMs: number }; input: Input };

/** A device is judged once: by the step that lets it on, or the verdict that blocks it. */
function judgedDevice({ devices }: Pending, { kind, body }: GatheredRecord): Judged | undefined {
  const read =
    kind === "usb.step"
      ? UsbStepBody.refine(({ step }) => step === "classified").safeParse(body)
      : UsbVerdictBody.refine(({ about }) => about === "device").safeParse(body);
  if (!read.success) return undefined;
  const { stick, reason = "" } = read.data;
  const waits = Object.hasOwn(devices, stick) ? devices[stick] : undefined;
  if (!waits) return undefined;
  delete devices[stick];
  const { device, index, timeMs } = waits;
  const pinned = kind === "usb.step" && reason.endsWith("(pinned)");
  const blocked = kind === "usb.verdict";
  const facts = { ...ruleFacts(device), interfaceCount: device.interfaceCount };
  return { at: { index, timeMs }, input: { kind: "device", facts, pinned, blocked } };
}

type Scanned = { at: { index: number; timeMs: number }; last: number; input: Input };

/** Parts come one after another; what is overtaken by too many others is told as it is, with what it misses. */
function scans(trail: number, pending: Pending, { body: untyped, index, timeMs }: GatheredRecord): Scanned[] {
  const body = untyped as ScanBody;
  const { manifest, parts, verdict, exception } = body;
  const input = (): ScanInput => ({
    kind: "scan",
    of: `${trail}/${index}`,
    facts: narrow(body),
    files: manifest.length,
    verdict,
    exception: exception !== undefined,
    missing: 0,
  });
  const at = { index, timeMs };
  if (!parts || parts.of === 1) return [{ at, last: index, input: input() }];
  const waits = Object.hasOwn(pending.scans, parts.root) ? pending.scans[parts.root] : undefined;
  if (!waits || parts.index === 0) {
    const overtaken = keep(pending.scans, parts.root, { ...at, last: index, have: 1, of: parts.of, input: input() });
    return overtaken ? [partial(overtaken)] : [];
  }
  waits.have++;
  waits.last = index;
  waits.input.files += manifest.length;
  waits.input.facts.manifest = narrowFiles([...waits.input.facts.manifest, ...manifest]);
  if (waits.have < waits.of) return [];
  delete pending.scans[parts.root];
  return [partial(waits)];
}

const partial = ({ index, timeMs, last, have, of, input }: Pending["scans"][string]): Scanned => ({
  at: { index, timeMs },
  last,
  input: { ...input, missing: Math.max(0, of - have) },
});

/** What makes room for it, if anything had to. */
function keep<T>(all: Record<string, T>, key: string, value: T): T | undefined {
  const before = Object.hasOwn(all, key) ? all[key] : undefined;
  delete all[key];
  all[key] = value;
  if (before) return before;
  const [oldest, ...others] = Object.keys(all);
  if (others.length < PENDING_MAX || oldest === undefined) return undefined;
  const gone = all[oldest];
  delete all[oldest];
  return gone;
}
