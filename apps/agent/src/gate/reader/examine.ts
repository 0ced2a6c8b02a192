/** Entries → rows of the manifest. Archives are followed inwards; an archive is no better than its worst member. */
import { isUtf8 } from "node:buffer";
import { type Container, containers, onlyDisk } from "./archives/format.ts";
import { budget, isStream, type Member, type Stream } from "./archives/member.ts";
import { openArchive, type Unpacked } from "./archives/open.ts";
import type { Answer } from "./clamd.ts";
import { type Ask, chunksOf, isMediumsFault, type Seen } from "./content.ts";
import { lockedDocument } from "./documents/locked.ts";
import { type Shape, shapesOf } from "./documents/shape.ts";
import type { Order, Row } from "./events.ts";
import { type Kept, seeOnce } from "./keep.ts";
import { each, lanes } from "./lanes.ts";
import { askUnmistaken, isMistaken, isTakenForOther } from "./mistaken.ts";
import { askInPieces, fitsInPieces } from "./pieces.ts";
import type { Source } from "./source.ts";
import { typeOf } from "./type.ts";
import type { Entry } from "./volume.ts";

const PATH_BYTES_MAX = 12_000;
const MARK = Buffer.from("!/");

const INODE_TYPES = {
  folder: "inode/directory",
  link: "inode/symlink",
  fifo: "inode/fifo",
  socket: "inode/socket",
  device: "inode/device",
} as const;

/** Formats of documents inside which only the scanner looks. A deflated stream grows at most 1,032-fold. */
const SCANNER_OPENS = new Set([
  "application/pdf",
  "application/x-cfb",
  "application/rtf",
  "application/x-shockwave-flash",
]);
const DEFLATE_RATIO_MAX = 1_032;
const SHAPES: Record<Shape, string> = { text: "a text", page: "an HTML page", program: "a program inside another" };

/** The scanner keeps what it found clean by MD5, and would answer for the other one. */
const TWIN = "has the MD5 of another file that is not the same";

type Finding = Row["finding"];
/** `region`: bytes of a disk that are no file of it. */
type Place = { path: Buffer; partition?: number; depth: number; region?: boolean };

export type Examiner = { entry(entry: Entry, partition?: number): Promise<void>; files(): number; bytes(): number };

export function examiner(order: Order, ask: Ask, emit: (row: Row) => void, contentBytesMax: number): Examiner {
  const inTurn = lanes(order.lanes);
  const archives = budget(order.bounds.archives);
  let files = 0;
  let bytes = 0;
  let contentLeft = contentBytesMax;
  /** Of each MD5 the SHA-256 it was first seen with. */
  const twins = new Map<string, string>();

  function tell(place: Place, row: Omit<Row, "path" | "pathBase64" | "partition" | "member">): Finding {
    files += 1;
    const cut = place.path.length > PATH_BYTES_MAX;
    const path = cut ? place.path.subarray(0, PATH_BYTES_MAX) : place.path;
    const named = isUtf8(path) ? { path: path.toString("utf8") } : { pathBase64: path.toString("base64") };
    const detail = row.detail === undefined ? {} : { detail: row.detail.slice(0, 500).toWellFormed() };
    const partition = place.partition === undefined ? {} : { partition: place.partition };
    const member = place.depth > 0 || path.includes(MARK) ? { member: place.depth > 0 } : {};
    emit({ ...named, ...partition, ...member, ...row, ...detail });
    return row.finding;
  }

  const unread = (place: Place, size: number, type: string, detail: string): Finding =>
    tell(place, { size, md5: null, sha256: null, type, finding: "unscannable", detail });

  /** `vouched`: the scanner has seen these bytes inside of what they came from. */
  async function file(place: Place, content: Source | Stream, size: number | null, vouched = false): Promise<Finding> {
    let kept: Kept | null = null;
    try {
      let out = 0;
      const count = (chunk: Buffer) => {
        out += chunk.length;
        bytes += chunk.length;
        if (isStream(content)) archives.unpacked(chunk.length, out, content.packed);
      };
      kept = await inTurn(() => seeOnce(content, size, ask, order.workDir, count, vouched));
      const { seen, source, places } = kept;
      const type = await typeOf(seen.head);
      let judged = ownFinding(seen, type);
      if (judged.finding === "clean" && isMistaken(seen.head))
        judged = fromAnswer(await inTurn(() => askUnmistaken(source ?? content, seen, ask)));
      if (judged.finding === "clean" && order.clamd?.shapes)
        judged = overlooked(await shapesOf(order.clamd.shapes, seen.size, chunksOf(source ?? content))) ?? judged;
      if (source !== null) {
        const locked = lockedDocument(seen.head, source);
        if (locked !== null && judged.finding !== "infected") judged = { finding: "unscannable", detail: locked };
        const found = containers(seen.head, source, places);
        let inside: Judged | null = null;
        const isOne = found.length === 1 && judged.finding === "clean" && !isTakenForOther(seen.head);
        for (const container of found) {
          const vouches = isOne && order.clamd?.limitsReported === true && looksInto(container);
          inside = worst(inside ?? CLEAN, await members(place, container, source, vouches));
        }
        const isDisk = locked === null && onlyDisk(found, seen.head, type, place.region === true);
        if (isDisk && seen.answer.answer === "limit" && (inside === null || inside.finding === "clean"))
          judged = await inPieces(source, judged);
        judged = worst(judged, inside);
      }
      return tell(place, { size: seen.size, md5: seen.md5, sha256: seen.sha256, type, ...judged });
    } catch (error) {
      if (!isMediumsFault(error)) throw error;
      return unread(place, size ?? 0, "application/octet-stream", error.message);
    } finally {
      kept?.drop();
    }
  }

  /** Of a disk of which each file is clean, and that the scanner does not take as a whole. */
  async function inPieces(source: Source, own: Judged): Promise<Judged> {
    const { clamd } = order;
    // without its word where a limit stopped it, a piece that is clean is none
    if (clamd === null || !clamd.limitsReported || !fitsInPieces(clamd.fileBytes) || own.detail === TWIN) return own;
    const judged = fromAnswer(await askInPieces(source, ask, clamd.fileBytes, inTurn));
    return judged.finding === "clean"
      ? { finding: "clean", detail: "too large for the scanner as a whole; its files and its bytes were scanned apart" }
      : judged;
  }

  /** Of a shape of which the scanner looks into smaller files only. */
  function overlooked([shape]: readonly Shape[]): Judged | null {
    const limit = shape && order.clamd?.shapes?.[shape];
    if (!limit) return null;
    const detail = `larger than the ${limit.bytes} bytes of ${SHAPES[shape]} that the scanner looks into (${limit.setting} in clamd.conf)`;
    return { finding: "unscannable", detail };
  }

  function ownFinding(seen: Seen, type: string): Judged {
    const judged = fromAnswer(seen.answer);
    const twin = twins.get(seen.md5);
    if (twin === undefined) twins.set(seen.md5, seen.sha256);
    else if (twin !== seen.sha256 && judged.finding !== "infected") return { finding: "unscannable", detail: TWIN };
    const silent = order.clamd !== null && !order.clamd.limitsReported && SCANNER_OPENS.has(type);
    if (judged.finding !== "clean" || !silent || seen.size * DEFLATE_RATIO_MAX <= order.clamd!.fileBytes) return judged;
    return {
      finding: "unscannable",
      detail: "the scanner would not say if a limit stopped it inside; set AlertExceedsMax yes in clamd.conf",
    };
  }

  const looksInto = ({ how }: Container): boolean => order.clamd?.unpacks?.some((each) => each === how) === true;

  /** Why the archive cannot be called clean, or null. `vouches`: the scanner has called it clean, and looks into such. */
  async function members(place: Place, container: Container, source: Source, vouches: boolean): Promise<Judged | null> {
    if (container.how !== "closed" && place.depth >= archives.depth)
      return { finding: "unscannable", detail: `archives lie deeper than ${archives.depth}` };
    let unpacked: Unpacked | null = null;
    let worstInside: Judged | null = null;
    try {
      unpacked = await openArchive(container, source, place.path, order.workDir, order.bounds.fileMs);
      await each(unpacked.members, order.lanes, async (found) => {
        archives.member();
        const finding = await member(
          {
            ...place,
            path: Buffer.concat([place.path, MARK, found.name]),
            depth: place.depth + 1,
            region: found.region === true,
          },
          found,
          vouches && found.plain === true,
        );
        if (finding === "infected") worstInside = { finding, detail: "holds an infected member" };
        else if (finding === "unscannable")
          worstInside ??= { finding, detail: "holds a member that cannot be scanned" };
      });
      return worstInside;
    } catch (error) {
      if (!isMediumsFault(error)) throw error;
      return worst(worstInside ?? { finding: "clean" }, { finding: "unscannable", detail: error.message });
    } finally {
      unpacked?.drop();
    }
  }

  async function member(place: Place, found: Member, vouched: boolean): Promise<Finding> {
    if (found.problem !== undefined) return unread(place, found.size ?? 0, typeOfKind(found.kind), found.problem);
    if (found.content === null) return listed(place, found.kind, found.detail);
    if (!isStream(found.content)) archives.unpacked(found.content.size, 0, 0);
    return file(place, found.content, found.size, vouched);
  }

  /** Listed and not followed. Folders stand in their files' paths and need no row. */
  function listed(place: Place, kind: Entry["kind"], detail?: string): Finding {
    if (kind === "folder" || kind === "file") return "clean";
    const about = detail === undefined ? "not followed" : `${detail}; not followed`;
    return tell(place, { size: 0, md5: null, sha256: null, type: INODE_TYPES[kind], finding: "clean", detail: about });
  }

  return {
    files: () => files,
    bytes: () => bytes,
    async entry(entry, partition) {
      const place: Place = { path: entry.path, depth: 0, ...(partition === undefined ? {} : { partition }) };
      if (entry.problem !== undefined) unread(place, entry.size, typeOfKind(entry.kind), entry.problem);
      else if (entry.content === null) listed(place, entry.kind, entry.detail);
      else if (entry.size > contentLeft)
        unread(place, entry.size, "application/octet-stream", "the files add up to far more than the medium holds");
      else {
        contentLeft -= entry.size;
        await file(place, entry.content, entry.size);
      }
    },
  };
}

type Judged = { finding: Finding; detail?: string };
const CLEAN: Judged = { finding: "clean" };

const typeOfKind = (kind: Entry["kind"]): string => (kind === "file" ? "application/octet-stream" : INODE_TYPES[kind]);

function fromAnswer(answer: Answer): Judged {
  switch (answer.answer) {
    case "clean":
      return { finding: "clean" };
    case "infected":
      return { finding: "infected", detail: answer.signature };
    case "limit":
    case "unsaid":
    case "gone":
      return { finding: "unscannable", detail: answer.detail };
  }
}

const RANK: Record<Finding, number> = { clean: 0, unscannable: 1, infected: 2 };

function worst(own: Judged, inside: Judged | null): Judged {
  return inside !== null && RANK[inside.finding] > RANK[own.finding] ? inside : own;
}
