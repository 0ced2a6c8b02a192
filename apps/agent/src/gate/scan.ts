/** Image or folder → the body of a `usb.scan` record: the confined reader reads, the pure decision judges. */

import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { decide, staleDefinitions } from "@sallyport/shared/usb/decide.ts";
import { type Manifest, ManifestFile } from "@sallyport/shared/usb/manifest.ts";
import { Outside, Partition, type ScanBody, type ScanFacts, Scanner } from "@sallyport/shared/usb/scan.ts";
import { z } from "zod";
import type { StartReader } from "../dom0/confine.ts";
import type { ScannerPlace } from "../dom0/scanner-door.ts";
import { each, inTurns, sorted, type Work } from "./in-turns.ts";
import type { ScannerLimits } from "./reader/events.ts";
import { recordRoom } from "./record-room.ts";
import { unpacksOf } from "./scanner-unpacks.ts";
import { underOneScanner } from "./scanner-watch.ts";

/** `doubts`: why its OK says less than it should; each holds what was scanned. */
export type Clamd = ScannerPlace & { doubts?: readonly string[] } & ScannerLimits;

export type ScanOptions = {
  policy: UsbSection;
  /** What the deny overlay blocks when the scan has come to its end. */
  denied?: () => readonly OverlayEntry[];
  /** Null: there is none, so nothing can be called clean. */
  clamd: Clamd | null;
  start: StartReader;
  now: () => Date;
  /** Files under way at once (lanes.ts). */
  lanes: number;
  /** The image's hash where the copy from the stick has made it. */
  imageSha256?: string;
  /** The name people know it by. */
  source?: string;
  onProgress?: (files: number, bytes: number) => void;
  signal?: AbortSignal;
  /** bubblewrap's name; for tests, one that does not work. */
  wrapper?: string;
  /** The set of definitions that the scanner was seen to have. */
  set?: string;
};

/** The reader is confined because its input may own it; what it says is decoded like anything untrusted. */
const Event = z.discriminatedUnion("event", [
  z.strictObject({ event: z.literal("scanner"), scanner: Scanner.omit({ set: true }).nullable() }),
  z.strictObject({ event: z.literal("partition"), partition: Partition }),
  z.strictObject({ event: z.literal("outside"), outside: Outside }),
  z.strictObject({ event: z.literal("file"), file: ManifestFile }),
  z.strictObject({ event: z.literal("problem"), problem: z.string() }),
  z.strictObject({ event: z.literal("progress"), files: z.int().min(0), bytes: z.int().min(0) }),
  z.strictObject({
    event: z.literal("image"),
    image: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }),
  }),
  z.strictObject({ event: z.literal("end") }),
]);

const LINE_CHARS_MAX = 128 * 1024;
/** A record is bounded; a medium with more of either is held. */
const PARTITIONS_MAX = 256;
const PROBLEMS_MAX = 32;
const PROBLEM_CHARS_MAX = 512;
/** Of partitions and problems: each record of a long manifest has them, beside a part of that and the gaps (records.ts). */
const FACTS_BYTES_MAX = 80 * 1024;
const TOO_MUCH = "it says more of itself than a record holds";
const ENDED =
  "the scanner was ended or started anew meanwhile, or answers no more, and says OK of what it breaks off; scan it again";
/** For its last answer: it may be loading its definitions. */
const LAST_MS_MIN = 30_000;

/** @throws DoorError where the target cannot be read at all */
export async function scan(target: string, options: ScanOptions): Promise<ScanBody> {
  const { policy, now } = options;
  const started = now();
  const { limits, archives } = policy;
  const forgets = options.clamd?.remembers === false;
  const clamd = options.clamd && {
    ...options.clamd,
    // one that remembers may have called an archive clean for its twin's sake, and not have looked into this one
    unpacks: forgets ? await unpacksOf(options.clamd.socket, options.set) : [],
    // and would know a file as clean that its reader changed between the sum that clamd makes of it and the look into it
    trays: forgets ? options.clamd.trays : null,
  };
  const fileMs = limits.fileSeconds * 1000;
  const read = async () => {
    const reading = await options.start({
      path: target,
      clamd,
      bounds: { files: limits.files, fileMs, archives },
      lanes: options.lanes,
      hashImage: options.imageSha256 === undefined,
      secondsMax: limits.seconds,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.wrapper ? { wrapper: options.wrapper } : {}),
    });
    const facts = await collect(reading.lines, limits.files + archives.count, options.onProgress ?? (() => {}));
    return { reading, facts, problem: await reading.ended };
  };
  const { done, stayed } = clamd
    ? await underOneScanner(
        clamd.socket,
        Math.max(fileMs, LAST_MS_MIN),
        read,
        ({ facts }) => options.signal?.aborted !== true && facts.manifest.some(isItsWord),
      )
    : { done: await read(), stayed: true };
  const { reading, facts, problem } = done;
  const problems = [...(options.clamd?.doubts ?? []), ...facts.problems].slice(0, PROBLEMS_MAX);
  if (problem !== null) problems.unshift(problem);
  else if (!facts.ended) problems.unshift("the reader stopped in the middle");
  if (reading.doubt !== undefined) problems.unshift(reading.doubt);
  if (!stayed) problems.unshift(ENDED);

  const scanned: ScanFacts = {
    source: (options.source ?? target).slice(0, 1024).toWellFormed(),
    ...(facts.image ? { image: facts.image } : {}),
    manifest: await inTurns(inOrder(settle(facts.manifest, facts.scanner, policy, started))),
    scanner: facts.scanner && { ...facts.scanner, ...(options.set !== undefined && { set: options.set }) },
    ...(reading.kind === "image" ? { partitions: facts.partitions, outside: facts.outside } : {}),
    ...(problems.length > 0
      ? { problems: problems.map((text) => text.slice(0, PROBLEM_CHARS_MAX).toWellFormed()) }
      : {}),
    confined: reading.confined,
  };
  const { verdict, reason, rule, audited } = decide(scanned, policy, now(), options.denied?.());
  const elapsedMs = Math.max(0, now().getTime() - started.getTime());
  return { verdict, reason: reason.toWellFormed(), rule, ...(audited ? { audited } : {}), ...scanned, elapsedMs };
}

/** What is not empty is clean by the scanner's word alone. */
const isItsWord = ({ finding, size }: ManifestFile): boolean => finding === "clean" && size > 0;

type Collected = {
  manifest: ManifestFile[];
  scanner: Scanner | null;
  partitions: Partition[];
  outside: Outside[];
  problems: string[];
  image: { sha256: string; size: number } | null;
  ended: boolean;
};

async function collect(
  lines: AsyncIterable<string>,
  filesMax: number,
  onProgress: (files: number, bytes: number) => void,
): Promise<Collected> {
  const facts: Collected = {
    manifest: [],
    scanner: null,
    partitions: [],
    outside: [],
    problems: [],
    image: null,
    ended: false,
  };
  const fits = recordRoom(FACTS_BYTES_MAX);
  const problem = (text: string) => {
    if (facts.problems.length < PROBLEMS_MAX) facts.problems.push(text);
  };
  let isTold = false;
  /** Whether there is room for it; else that is a problem, said once and before those that there is no room for. */
  const hasRoom = (said: unknown): boolean => {
    if (fits(said)) return true;
    if (!isTold) facts.problems.unshift(TOO_MUCH);
    isTold = true;
    return false;
  };
  for await (const line of lines) {
    const event = decode(line);
    if (event === null) {
      problem("the reader said something that cannot be read");
      continue;
    }
    switch (event.event) {
      case "scanner":
        facts.scanner = event.scanner;
        break;
      case "partition":
        if (facts.partitions.length < PARTITIONS_MAX) {
          if (hasRoom(event.partition)) facts.partitions.push(event.partition);
        } else problem("it has more partitions than any real medium");
        break;
      case "outside":
        if (facts.outside.length < PARTITIONS_MAX) facts.outside.push(event.outside);
        else {
          problem("it has more gaps between partitions than any real medium");
          // that there are bytes beside partitions counts by itself
          if (!event.outside.zeros) facts.outside[PARTITIONS_MAX - 1] = event.outside;
        }
        break;
      case "file":
        if (facts.manifest.length < filesMax) facts.manifest.push(event.file);
        else problem(`more than ${filesMax} files`);
        break;
      case "problem":
        if (hasRoom(event.problem.slice(0, PROBLEM_CHARS_MAX))) problem(event.problem);
        break;
      case "progress":
        onProgress(event.files, event.bytes);
        break;
      case "image":
        facts.image = event.image;
        break;
      case "end":
        facts.ended = true;
        break;
    }
  }
  return facts;
}

function decode(line: string): z.infer<typeof Event> | null {
  if (line.length > LINE_CHARS_MAX) return null;
  try {
    const event = Event.safeParse(JSON.parse(line));
    return event.success ? event.data : null;
  } catch {
    return null;
  }
}

/** Stale definitions can still find something; what they did not find is not clean. */
function settle(manifest: ManifestFile[], scanner: Scanner | null, policy: UsbSection, now: Date): Manifest {
  if (!staleDefinitions(scanner, policy.definitionsDaysMax, now)) return manifest;
  return manifest.map((file) =>
    file.finding === "clean" && file.sha256 !== null
      ? { ...file, finding: "unscannable", detail: "stale definitions" }
      : file,
  );
}

function* inOrder(manifest: Manifest): Work<Manifest> {
  const key = (file: ManifestFile) => file.path ?? Buffer.from(file.pathBase64 ?? "", "base64").toString("latin1");
  const keyed = yield* each(manifest, (file) => ({ file, key: key(file) }));
  const ordered = yield* sorted(
    keyed,
    (a, b) => (a.file.partition ?? 0) - (b.file.partition ?? 0) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
  return ordered.map(({ file }) => file);
}
