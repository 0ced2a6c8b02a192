/** The sectors from 16 on → the trees of a disc (ECMA-119, 8). Systems differ in what they take for a descriptor and where
 *  they stop: what one of them would come to is a tree here, or a problem. */
import type { Source } from "../source.ts";

export const SECTOR = 2048;
/** Linux and the BSDs look from the first of these to before the last. */
const FIRST = 16;
const END = 100;
const BLOCK_SIZES: readonly number[] = [512, 1024, SECTOR];
/** What may stand beside ISO 9660's own: UDF's (ECMA-167, 2/9). */
const BESIDE = new Set(["BEA01", "BOOT2", "CDW02", "NSR02", "NSR03", "TEA01"]);
const TERMINATOR = 255;
/** As far as Linux looks for UDF's mark. */
const UDF_END_BYTES = 8 * 1024 * 1024;
/** Inside a file, UDF is 7z's where its mark is no further back than this. */
const UDF_LAST = 8;
const FAR_UDF = "it is a UDF file system too, behind more descriptors than any disc has";
const TWO_UDF = "it is a UDF file system by sectors of two sizes, of which systems choose";

export type Tree = {
  /** Its root's record. */
  root: Buffer;
  joliet: boolean;
  /** Bytes of a block, in which its records count. */
  block: number;
  /** By the numbers of either order of bytes: Windows goes by the first, others by the second. */
  paths: { order: "little" | "big"; first: number; bytes: number }[];
};

export type Descriptors = {
  trees: Tree[];
  /** Bytes that the first primary descriptor claims. */
  bytes: number;
  label: string;
  udf: boolean;
  highSierra: boolean;
  problem: string | null;
};

type Primary = { root: Buffer; block: number; blocks: number; label: string };

export function descriptors(source: Source): Descriptors {
  const sectors = read(source);
  const trees: Tree[] = [];
  const primaries: Primary[] = [];
  let highSierra = false;
  let strange = false;
  let late = false;
  let ended = false;
  for (const sector of sectors) {
    const mark = sector.toString("latin1", 1, 6);
    if (BESIDE.has(mark)) continue;
    if (mark !== "CD001") {
      const sierra: boolean = sector.toString("latin1", 9, 14) === "CDROM" && (!strange || sierraRoot(source, sector));
      // behind the last descriptor come the files, and one may be a disc itself
      if (ended && !sierra) break;
      highSierra ||= sierra;
      strange ||= !sierra;
      continue;
    }
    ended ||= sector[0] === TERMINATOR;
    if (sector[0] !== 1 && sector[0] !== 2) continue;
    const tree = treeOf(sector);
    // a disc that is a file of another file system: its blocks are not where it says
    if (strange && !isRoot(source, tree, [tree.block, trees[0]?.block ?? 0])) continue;
    late ||= strange;
    trees.push(tree);
    if (sector[0] === 1) primaries.push(primaryOf(sector, tree));
  }
  const [first] = primaries;
  const udf = udfAt(source);
  return {
    trees,
    bytes: first === undefined ? 0 : first.blocks * first.block,
    label: first?.label ?? "",
    udf: udf !== null,
    highSierra,
    problem: problemOf(trees, primaries, late) ?? (udf === null ? null : udfProblem(source, udf)),
  };
}

function read(source: Source): Buffer[] {
  const count = Math.min(END, Math.floor(source.size / SECTOR)) - FIRST;
  if (count <= 0) return [];
  const bytes = source.read(FIRST * SECTOR, count * SECTOR);
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * SECTOR, (index + 1) * SECTOR));
}

function treeOf(sector: Buffer): Tree {
  return {
    root: Buffer.from(sector.subarray(156, 190)),
    // else ISO 9660:1999, or letters of another kind: a tree all the same
    joliet: sector[0] === 2 && /^%\/[@CE]/.test(sector.toString("latin1", 88, 91)),
    block: sector.readUInt16LE(128),
    paths: [
      { order: "little", first: sector.readUInt32LE(140), bytes: sector.readUInt32LE(132) },
      { order: "big", first: sector.readUInt32BE(148), bytes: sector.readUInt32BE(136) },
    ],
  };
}

const primaryOf = (sector: Buffer, { root, block }: Tree): Primary => ({
  root,
  block,
  blocks: sector.readUInt32LE(80),
  label: sector.toString("latin1", 40, 72).trimEnd(),
});

/** Whether a folder begins where it points: to Linux, a record that is marked as one and leads to bytes of the medium. */
const isRoot = (source: Source, { root }: Tree, blocks: number[]): boolean =>
  blocks.some((block) => folderAt(source, root, block, 25));

/** High Sierra's records keep their marks a byte earlier. */
const sierraRoot = (source: Source, sector: Buffer): boolean =>
  folderAt(source, sector.subarray(180, 214), sector.readUInt16LE(136), 24);

function folderAt(source: Source, root: Buffer, block: number, marks: number): boolean {
  const place = (record: Buffer): number => (record.readUInt32LE(2) + record[1]!) * block;
  const at = place(root);
  if (at === 0 || at + 34 > source.size) return false;
  const first = source.read(at, 34);
  return (first[marks]! & 2) !== 0 && place(first) < source.size;
}

/** In which sector from 16 on its mark is, behind others only. Where a sector has 4,096 bytes, Linux looks at every second
 *  place, and there at the one behind it as well. */
function udfAt(source: Source): number | null {
  let every = true;
  let second = true;
  for (let index = 0; every || second; index += 1) {
    const at = (FIRST + index) * SECTOR;
    if (at + SECTOR > Math.min(source.size, UDF_END_BYTES)) return null;
    const mark = source.read(at + 1, 5).toString("latin1");
    if (/^NSR0[23]$/.test(mark)) return index;
    if (mark === "CD001" || BESIDE.has(mark)) continue;
    every = false;
    second &&= index % 2 === 1;
  }
  return null;
}

function udfProblem(source: Source, index: number): string | null {
  if (index > UDF_LAST) return FAR_UDF;
  return [512, 1024, 2048, 4096].filter((sector) => isAnchored(source, sector)).length > 1 ? TWO_UDF : null;
}

/** Whether by sectors of that size there is one of UDF's anchors in a place where systems look (ECMA-167, 3/10.2). Each says
 *  in which sector it is. */
function isAnchored(source: Source, sector: number): boolean {
  const last = Math.floor(source.size / sector) - 1;
  return [256, 512, ...[0, 1, 2, 150, 152].flatMap((back) => [last - back, last - back - 256])].some((number) => {
    if (number < 0 || number > last) return false;
    const tag = source.read(number * sector, 16);
    const sum = tag.reduce((had, byte, at) => (at === 4 ? had : (had + byte) & 0xff), 0);
    return tag.readUInt16LE(0) === 2 && tag[4] === sum && tag.readUInt32LE(12) === number;
  });
}

function problemOf(trees: Tree[], primaries: Primary[], late: boolean): string | null {
  if (trees.some(({ block }) => !BLOCK_SIZES.includes(block))) return "its block size makes no sense";
  const [first] = primaries;
  const differs = primaries.some(
    ({ root, block, blocks }) => !root.equals(first!.root) || block !== first!.block || blocks !== first!.blocks,
  );
  if (differs) return "it has two primary descriptors that disagree";
  if (trees.some(({ block }) => block !== trees[0]!.block)) return "its descriptors disagree about the size of a block";
  if (late) return "it has a descriptor behind a sector that is none, where some systems look and others do not";
  return null;
}
