/** One device's passage as the gate has it in hand, and what it needs of the gate. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { stickId, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Exception, Grounds } from "@sallyport/shared/usb/exception.ts";
import type { Manifest } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody, Scanner } from "@sallyport/shared/usb/scan.ts";
import type { Attach } from "../dom0/attach.ts";
import type { Log } from "../dom0/log.ts";
import type { Plugged, UsbPorts } from "../dom0/usb.ts";
import type { UsbPlace } from "../dom0/usb-place.ts";
import type { UsbVolume } from "../dom0/usb-volume.ts";
import type { Outlet } from "../sources/source.ts";
import { SpoolClosed } from "../spool/intake.ts";
import type { Moment, RulePast } from "./circumstances.ts";
import type { GateEvent, GateState, Image, Rules } from "./passage-state.ts";
import type { RebuildParts, Rebuilt } from "./rebuild.ts";
import type { RescanDesk } from "./rescan-desk.ts";
import type { Basis } from "./stricter.ts";

export type ScanImage = (
  path: string,
  about: { source: string; sha256: string; onProgress: (files: number) => void; signal: AbortSignal },
) => Promise<ScanBody>;
export type RebuildImage = (
  image: Image,
  manifest: Manifest,
  grounds: Grounds,
  parts: Pick<RebuildParts, "setAside" | "writes" | "signal">,
) => Promise<Rebuilt>;

export type ActParts = {
  ports: UsbPorts;
  place: UsbPlace;
  volume: UsbVolume;
  /** Nothing: no guest is named, so nothing can be handed on. */
  attach: Attach | undefined;
  scan: ScanImage;
  rebuild: RebuildImage;
  rules: Rules;
  now: () => number;
  /** No other logical unit has come within this time: then these are all. */
  settleMs: number;
  /** Records, and words for the workstation's page. */
  tell: (records: readonly Observation[], now: string) => Promise<void>;
};

export type LiveParts = Omit<ActParts, "tell" | "rules"> & {
  rules: () => Rules;
  /** Those that were believed and have not ended. */
  exceptions: () => readonly Exception[];
  /** The latest moment that has come for certain, in milliseconds. */
  floor: () => number;
  /** Wakes the loop, at the latest every few seconds. */
  events: (signal: AbortSignal) => AsyncIterable<void>;
  /** What the scanner has now, asked rarely; nothing where none answers. */
  scanner?: () => Promise<Scanner | undefined>;
  /** Between two looks at it, in milliseconds. */
  scannerMs?: number;
  /** Between two questions to the guest for what it has, in milliseconds. */
  keepMs?: number;
  /** Where a person's order to scan again comes in. */
  rescans?: RescanDesk;
  log: Log;
  /** For tests: after a step is on disk and before it is acted on. */
  reached?: (state: GateState) => Promise<void>;
};

/** What a device owes: files of its own on the volume, and handles that the guest may have. */
export type Debts = { handles: string[]; files: string[] };
export type Passage = {
  key: string;
  state: GateState;
  /** The last state that was given to be written with its records: the journal never runs ahead of them. */
  noted?: GateState;
  debts: Debts;
  /** Of the volume: what may still be written for it, in bytes. */
  setAside: number;
  /** A file that is being written out of that. */
  writing?: string | undefined;
  /** What was made for the guest, unit by unit. */
  gift?: Rebuilt[];
  /** Of each file on it, the first 8 bytes of its sha256, in order; absent before a scan, and for what an earlier life of
   *  the agent attached. */
  hashes?: BigUint64Array;
  /** What conditions were told when it was classified; the rules in force when its scan began; what it passed under. */
  moment?: Moment;
  scanned?: Rules;
  basis?: Basis | undefined;
  /** In which life of the guest it was last seen with it. */
  guest?: string;
  /** Aborted when the device has gone. */
  stop: AbortController;
  inbox: GateEvent[];
  wake: () => void;
  /** Nothing of it is under way; it waits for an event. */
  idle: boolean;
  done: Promise<void>;
};

/** The gate's own things, for those who work for it. */
export type Gate = {
  parts: LiveParts;
  outlet: Outlet;
  passages: Map<string, Passage>;
  past: RulePast;
  /** What the guest lost, by key, and in which life of its own: held until it has another. */
  away: Map<string, string | undefined>;
  /** The end of the last choice of a handle. */
  chosen: Promise<void>;
  /** Records and journal in one transaction, in the order of the calls; with a passage, its state is what they say.
   *  Without room for them it waits. */
  commit: (records: readonly Observation[], passage?: Passage) => Promise<void>;
  /** How many of those wait at present. */
  unwritten: number;
  /** The gate's own end: the signal, or a fault. */
  over: AbortController;
  /** Where it stands, for the workstation's page; not too often. */
  show: (now: string) => void;
  fault: (error: unknown) => void;
};

/** Without room for records, what only takes away is done after so long all the same, and written down when there is. */
export const ROOM_MS = 1_000;
/** While so many transactions wait, each with the whole journal, what is plugged in is held and begins no passage. */
export const UNWRITTEN_MAX = 64;

/** Written when there is room; nobody waits for it. */
export function unawaited(gate: Gate, writing: Promise<unknown>): void {
  writing.catch((error: unknown) => {
    if (!(error instanceof SpoolClosed)) gate.fault(error);
  });
}

export const keyOf = ({ port, bus, address }: Pick<Plugged, "port" | "bus" | "address">): string =>
  `${port}#${bus}.${address}`;

/** Held, unless another device has come to its port by now: that one is judged for itself, and may be a keyboard that was
 *  let in. False where it has gone. @throws DoorError where the kernel does not take it */
export async function holdOwn(ports: UsbPorts, device: UsbDevice): Promise<boolean> {
  const plugged = await ports.plugged().catch(() => []);
  const there = plugged.find(({ port }) => port === device.port);
  return there && keyOf(there) !== keyOf(device) ? false : ports.authorise(device.port, false);
}

export function passageOf(key: string, state: GateState, debts: Debts = { handles: [], files: [] }): Passage {
  const waiting = { setAside: 0, inbox: [], wake: () => {}, idle: false, done: Promise.resolve() };
  return { key, state, debts, stop: new AbortController(), ...waiting };
}

/** Before whatever else waits for it: nothing of a device that has gone may go on. */
export function send(passage: Passage, event: GateEvent, first = false): void {
  if (first) passage.inbox.unshift(event);
  else passage.inbox.push(event);
  passage.wake();
}

export const hashesOf = (scans: readonly Pick<ScanBody, "manifest">[]): BigUint64Array =>
  BigUint64Array.from(
    scans.flatMap(({ manifest }) => manifest.flatMap(({ sha256 }) => (sha256 === null ? [] : [prefixOf(sha256)]))),
  ).sort();
const prefixOf = (sha256: string): bigint => BigInt(`0x${sha256.slice(0, 16)}`);

/** Whether a file of a hash is on it; nothing where nobody knows any more. */
export function holdsOf({
  state,
  hashes,
}: Pick<Passage, "state" | "hashes">): ((sha256: string) => boolean) | undefined {
  if (hashes) return (sha256) => isIn(hashes, prefixOf(sha256));
  return state.step === "attached" && state.images.length > 0 ? undefined : () => false;
}

/** A policy denies up to 100,000 hashes, each asked for on its own: by halves, since the loop stands still meanwhile. */
function isIn(sorted: BigUint64Array, wanted: bigint): boolean {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (sorted[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === wanted;
}

export const stickOf = ({ state }: Passage): string => stickId(state.device);
