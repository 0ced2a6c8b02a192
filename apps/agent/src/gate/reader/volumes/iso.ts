/** ISO 9660 (ECMA-119) with Rock Ridge (IEEE P1282) and Joliet. A disc may show another tree to each system, so every
 *  tree is walked and what one shows and the others do not is listed as well. */
import { Damaged, type Extent, extentSource, type Source } from "../source.ts";
import { type Bounds, brokenFolder, type Entry, join, reason, type Volume, wtf8 } from "../volume.ts";
import { descriptors, SECTOR, type Tree } from "./iso-descriptors.ts";
import { pathKey, pathProblem } from "./iso-paths.ts";
import { type Rock, rockRidge, suspSkips, UNMARKED } from "./iso-rock.ts";

const FOLDER_BYTES_MAX = 64 * 1024 * 1024;

export function iso(source: Source): Volume | null {
  const found = descriptors(source);
  const { trees, bytes, label } = found;
  if (trees.length === 0) {
    if (found.highSierra)
      return unread(source, "high-sierra", "a High Sierra file system, which the gate does not read");
    return found.udf ? unread(source, "udf", found.problem ?? ONLY_UDF) : null;
  }
  const problem =
    found.problem ??
    (bytes > source.size ? `the file system claims ${bytes} bytes, the medium has ${source.size}` : null) ??
    (found.highSierra ? "it is a High Sierra file system too, which the gate does not read" : null) ??
    // the last, as it is the one that is no problem where 7z reads the other
    (found.udf ? ALSO_UDF : null);
  return {
    fileSystem: "iso9660",
    bytes,
    ...(/^[\x21-\x7e][\x20-\x7e]*$/.test(label) ? { label } : {}),
    ...(problem ? { problem } : {}),
    entries: (bounds) => walkAll(source, trees, bounds),
  };
}

/** What is wrong where a disc has both, or that one alone: inside a file, 7z reads it. */
export const ONLY_UDF = "a UDF file system, which the gate does not read";
export const ALSO_UDF = "it is a UDF file system too, which the gate does not read";

const unread = (source: Source, fileSystem: string, problem: string): Volume => ({
  fileSystem,
  bytes: source.size,
  problem,
  entries: function* () {},
});

/** @throws Damaged at the end, where a path table leads elsewhere */
function* walkAll(source: Source, trees: Tree[], bounds: Bounds): Generator<Entry> {
  // what is the same bytes in a later tree is the same file under its other name
  const known = new Set<string>();
  const problems: string[] = [];
  // the names people see come first: Rock Ridge's, else Joliet's
  const plain = trees.filter((tree) => !tree.joliet);
  const joliet = trees.filter((tree) => tree.joliet);
  const order = plain.some((tree) => hasRockRidge(source, tree)) ? [...plain, ...joliet] : [...joliet, ...plain];
  for (const [index, tree] of order.entries()) {
    const mine: string[] = [];
    const folders = new Set<string>();
    for (const { entry, key, empty } of walk(source, tree, bounds, folders)) {
      if (entry.problem === undefined && index > 0 && (entry.kind !== "file" || known.has(key))) continue;
      // only what was looked at as a file, or has nothing to look at: a link to one system is a file to another
      if (empty || (entry.kind === "file" && entry.content !== null)) mine.push(key);
      yield entry;
    }
    for (const key of mine) known.add(key);
    const problem = pathProblem(source, tree, record(tree.root, tree.block).at, folders);
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) throw new Damaged(problems[0]!);
}

function hasRockRidge(source: Source, tree: Tree): boolean {
  try {
    const root = record(tree.root, tree.block);
    const [self] = records(source, { path: Buffer.alloc(0), at: root.at, bytes: root.bytes, depth: 0 }, tree.block);
    return self !== undefined && suspSkips(source, self.system, tree.block) !== null;
  } catch (error) {
    reason(error);
    return false;
  }
}

type Record = {
  name: Buffer;
  at: number;
  bytes: number;
  flags: number;
  interleaved: boolean;
  /** Blocks before the content; some look behind them, others at them. */
  attributes: number;
  system: Buffer;
};
type Folder = { path: Buffer; at: number; bytes: number; depth: number };
/** `key`: which bytes of the medium it is, each piece by its start and length. */
type Walked = { entry: Entry; key: string; empty: boolean };

/** @param named gets each folder that a record names, as `pathKey` says it */
function* walk(source: Source, tree: Tree, bounds: Bounds, named: Set<string>): Generator<Walked> {
  const { block } = tree;
  const root = record(tree.root, block);
  named.add(pathKey(root.at, root.at, ROOT_NAME));
  const seen = new Set<number>();
  let left = source.size;
  const how = { skips: UNMARKED, block, room: { bytes: source.size } };
  const folders: Folder[] = [{ path: Buffer.alloc(0), at: root.at, bytes: root.bytes, depth: 0 }];
  // a folder that was moved stands where it came from too; it is walked here only where nothing there names it
  const moved: Folder[] = [];
  const unseen = (): Folder | undefined => {
    let folder = moved.pop();
    while (folder && seen.has(folder.at)) folder = moved.pop();
    return folder;
  };
  const next = () => folders.pop() ?? unseen();
  for (let folder = next(); folder; folder = next()) {
    try {
      if (seen.has(folder.at)) throw new Damaged("is a folder that is listed twice or holds itself");
      seen.add(folder.at);
      if (folder.bytes > FOLDER_BYTES_MAX) throw new Damaged("is a folder larger than any can be");
      left -= folder.bytes;
      if (left < 0) throw new Damaged("is a folder for which the disc has no room beside the others");
      let pieces: Record[] = [];
      let index = -1;
      for (const item of records(source, folder, block)) {
        index += 1;
        const isRoot = folder.depth === 0 && index === 0;
        if (isRoot) how.skips = suspSkips(source, item.system, block) ?? UNMARKED;
        const rock = rockRidge(source, item.system, how, isRoot);
        const isOwn = item.name.length === 1 && item.name[0]! <= 1;
        if (isOwn || index === 0) {
          const wrong = ownProblem(item, folder, index, rock);
          if (wrong !== null) yield broken(folder.path, wrong);
          if (isOwn) continue;
        }
        pieces.push(item);
        if (item.flags & 0x80) continue;
        const whole = pieces;
        pieces = [];
        bounds.take();
        const plain = join(folder.path, plainName(item.name, tree.joliet), folder.depth);
        const path = rock.name ? join(folder.path, rock.name, folder.depth) : plain;
        const isFolder = (item.flags & 2) !== 0;
        const kind = rock.kind ?? (isFolder ? "folder" : "file");
        const others = whole.slice(0, -1).map((piece) => rockRidge(source, piece.system, how));
        const wrong = recordProblem(whole, rock, others);
        if (wrong !== null) yield broken(path, wrong);
        if (isFolder) named.add(pathKey(folder.at, item.at, item.name));
        if (kind === "folder" || isFolder) {
          const { child } = rock;
          const places: { at: number; bytes: number }[] = child === undefined || isFolder ? [...whole] : [];
          if (child !== undefined) places.push({ at: child, bytes: folderSize(source, child, block) });
          for (const { at, bytes } of places)
            (rock.moved ? moved : folders).push({ path, at, bytes, depth: folder.depth + 1 });
        }
        // what has no bytes lies nowhere, wherever its record says
        const extents = whole.map(({ at, bytes }) => ({ from: bytes === 0 ? 0 : at, bytes }));
        const key = extents.map(({ from, bytes }) => `${from}+${bytes}`).join();
        const empty = extents.every(({ bytes }) => bytes === 0);
        yield { entry: entryOf(source, path, kind, extents, rock), key, empty };
        // who does not know Rock Ridge reads what it calls a link, a device or a folder as a file
        if (kind !== "file" && !isFolder && !empty)
          yield { entry: entryOf(source, plain, "file", extents, null), key, empty };
      }
      if (pieces.length > 0) yield broken(folder.path, "is a folder that ends before its last file's pieces do");
    } catch (error) {
      yield broken(folder.path, reason(error));
    }
  }
}
const ROOT_NAME = Buffer.alloc(1);
const broken = (path: Buffer, problem: string): Walked => ({
  entry: brokenFolder(path, problem),
  key: "",
  empty: false,
});

/** Linux goes by a folder's record of itself, which it takes to be the first one, others by the one in its parent. By a name
 *  that Rock Ridge gives to these two, Linux opens what it does not list. */
function ownProblem(item: Record, folder: Folder, index: number, rock: Rock): string | null {
  const { name, at, bytes, flags } = item;
  const which = name.length === 1 ? name[0] : undefined;
  if (which !== index) return "is a folder whose records of itself and of its parent are not the first ones";
  if ((flags & 2) === 0) return "is a folder whose record of itself or of its parent is no folder's";
  if (which === 0 && (at !== folder.at || bytes > folder.bytes || item.attributes !== 0))
    return "is a folder whose record of itself leads elsewhere";
  // of a parent, genisoimage says no kind where it made the folder itself
  const isNone = which === 0 && (rock.kind ?? "folder") !== "folder";
  if (isNone || rock.name !== undefined || rock.child !== undefined)
    return "is a folder whose record of itself or of its parent is another thing by Rock Ridge";
  return null;
}

/** What systems read in different ways, or null. `others`: what Rock Ridge says of all pieces but the last. */
function recordProblem(pieces: Record[], rock: Rock, others: Rock[]): string | null {
  const last = pieces.at(-1)!;
  const isFolder = (last.flags & 2) !== 0;
  if (pieces.some(({ attributes }) => attributes !== 0))
    return "has extended attributes before its content, which some systems take for its beginning";
  if (isFolder && rock.child !== undefined) return "is a folder and by Rock Ridge the way to another one";
  if (pieces.some(({ interleaved }) => interleaved)) return "is interleaved";
  if (others.some(({ compressed }) => compressed)) return COMPRESSED;
  if (pieces.length === 1) return null;
  if (isFolder || rock.kind === "folder") return "is a folder in pieces, of which some systems read one";
  if (pieces.length > PIECES_MAX) return `is in more than the ${PIECES_MAX} pieces that every system reads`;
  if (pieces.slice(0, -1).some(({ bytes }) => bytes % SECTOR !== 0))
    return "is in pieces that end within a block, of which systems read different bytes";
  const alike = (piece: Record, other: Rock) =>
    piece.name.equals(last.name) &&
    ((piece.flags ^ last.flags) & 2) === 0 &&
    other.kind === rock.kind &&
    other.child === undefined &&
    (other.name ?? NO_NAME).equals(rock.name ?? NO_NAME);
  const disagree = others.some((other, index) => !alike(pieces[index]!, other));
  return disagree ? "is in pieces that disagree about its name or its kind" : null;
}
const COMPRESSED = "is compressed on the disc";
const NO_NAME = Buffer.alloc(0);
/** Linux. */
const PIECES_MAX = 100;

function entryOf(source: Source, path: Buffer, kind: Entry["kind"], pieces: Extent[], rock: Rock | null): Entry {
  const size = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  if (kind !== "file") return { path, kind, size: 0, content: null, ...(rock?.detail ? { detail: rock.detail } : {}) };
  if (rock?.compressed) return { path, kind, size, content: null, problem: COMPRESSED };
  try {
    return { path, kind, size, content: extentSource(source, pieces, size) };
  } catch (error) {
    return { path, kind, size, content: null, problem: reason(error) };
  }
}

function record(bytes: Buffer, block: number): Record {
  const letters = bytes[32]!;
  const nameEnd = 33 + letters + (letters % 2 === 0 ? 1 : 0);
  return {
    // an extended attribute record, where there is one, lies before the content
    at: (bytes.readUInt32LE(2) + bytes[1]!) * block,
    bytes: bytes.readUInt32LE(10),
    flags: bytes[25]!,
    interleaved: bytes[26] !== 0 || bytes[27] !== 0,
    attributes: bytes[1]!,
    name: Buffer.from(bytes.subarray(33, 33 + letters)),
    system: Buffer.from(bytes.subarray(nameEnd)),
  };
}

/** @throws Damaged at the end, where something lies between them: what begins there is a record to some */
function* records(source: Source, folder: Folder, block: number): Generator<Record> {
  let gaps = false;
  for (let from = 0; from < folder.bytes; from += SECTOR) {
    const bytes = source.read(folder.at + from, Math.min(SECTOR, folder.bytes - from));
    let at = 0;
    while (at + 34 <= bytes.length) {
      const length = bytes[at]!;
      if (length === 0) {
        // the next ones begin with the next block: to some, one of 2,048 bytes, to others, one of the disc's own
        const end = at + block - (at % block);
        gaps ||= !isZeros(bytes.subarray(at, end));
        at = end;
        continue;
      }
      if (length < 34 || at + length > bytes.length)
        throw new Damaged("is a folder with a record that ends outside it");
      yield record(bytes.subarray(at, at + length), block);
      at += length;
    }
    gaps ||= !isZeros(bytes.subarray(at));
  }
  if (gaps) throw new Damaged("is a folder with something between its records, which is one of them to some systems");
}

const isZeros = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/** A moved folder's size is in its own first record. */
const folderSize = (source: Source, at: number, block: number): number => record(source.read(at, 34), block).bytes;

function plainName(name: Buffer, joliet: boolean): Buffer {
  if (!joliet) return Buffer.from(name.toString("latin1").replace(/;\d*$/, "").replace(/\.$/, ""), "latin1");
  const units: number[] = [];
  for (let at = 0; at + 1 < name.length; at += 2) units.push(name.readUInt16BE(at));
  const text = wtf8(units);
  return Buffer.from(text.toString("latin1").replace(/;\d*$/, ""), "latin1");
}
