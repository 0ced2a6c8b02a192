/** The sectors from 16 on → the trees of a disc (ECMA-119, 8). Systems differ in what they take for a descriptor and where
 *  they stop: what one of them would come to is a tree here, or a problem. */
import { Damaged, type Source } from "../source.ts";

export const SECTOR = 2048;
/** Linux and the BSDs look from the first of these to before the last. */
const FIRST = 16;
const END = 100;
const BLOCK_SIZES: readonly number[] = [512, 1024, SECTOR];
/** What may stand beside ISO 9660's own: UDF's (ECMA-167, 2/9). */
const BESIDE = new Set(["BEA01", "BOOT2", "CDW02", "NSR02", "NSR03", "TEA01"]);
const TERMINATOR = 255;
/** Inside a file, UDF is 7z's where its mark is no further back than this. */
const UDF_LAST = 8;
const FAR_UDF = "it is a UDF file system too, behind more descriptors than any disc has";

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
  const udf = udfAt(sectors, 1) ?? udfAt(sectors, 2);
  return {
    trees,
    bytes: first === undefined ? 0 : first.blocks * first.block,
    label: first?.label ?? "",
    udf: udf !== null,
    highSierra,
    problem: problemOf(trees, primaries, late) ?? (udf !== null && udf > UDF_LAST ? FAR_UDF : null),
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

/** Whether a folder begins where it points: to Linux, a record that is marked as one. */
const isRoot = (source: Source, { root }: Tree, blocks: number[]): boolean =>
  blocks.some((block) => folderAt(source, (root.readUInt32LE(2) + root[1]!) * block, 25));

/** High Sierra's records keep their marks a byte earlier. */
const sierraRoot = (source: Source, sector: Buffer): boolean =>
  folderAt(source, (sector.readUInt32LE(182) + sector[181]!) * sector.readUInt16LE(136), 24);

function folderAt(source: Source, at: number, marks: number): boolean {
  try {
    const bytes = source.read(at, 34);
    return at > 0 && bytes[0]! >= 34 && (bytes[marks]! & 2) !== 0;
  } catch (error) {
    if (error instanceof Damaged) return false;
    throw error;
  }
}

/** In which sector its mark is, in a row with the others; where a sector has 4,096 bytes, in every second place. */
function udfAt(sectors: Buffer[], step: number): number | null {
  for (let index = 0; index < sectors.length; index += step) {
    const mark = sectors[index]!.toString("latin1", 1, 6);
    if (mark.startsWith("NSR0") && BESIDE.has(mark)) return index;
    if (mark !== "CD001" && !BESIDE.has(mark)) return null;
  }
  return null;
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
