/** Container → members, by whichever reader its format has. */
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { chunksOf } from "../content.ts";
import { folderVolume } from "../folder.ts";
import { lanes } from "../lanes.ts";
import { Damaged, type Source, slice } from "../source.ts";
import { countdown, type Entry, reason } from "../volume.ts";
import { namesFolder } from "./cabinet.ts";
import { cpio } from "./cpio.ts";
import { diskMembers, fromEntry } from "./disk.ts";
import type { Container } from "./format.ts";
import type { Member } from "./member.ts";
import { type Packed, repacked } from "./repacked.ts";
import { type Laid, NoArchive, unpackWithSeven } from "./seven.ts";
import { writeAll } from "./spool.ts";
import { tar } from "./tar.ts";
import { gzip, zstd } from "./unpack.ts";
import { type ZipMember, zip } from "./zip.ts";

export type Unpacked = { members: Iterable<Member>; drop(): void };

/** Members are counted by the medium's own bound; this one only keeps a walk from being endless. */
const ENTRIES_MAX = 1_000_000;
/** One 7z at a time: what it unpacks lies in the reader's folder, whose room is bounded. */
const oneSeven = lanes(1);

/** @throws Damaged where it cannot be opened */
export async function openArchive(
  container: Container,
  source: Source,
  path: Buffer,
  workDir: string | null,
  timeMs: number,
): Promise<Unpacked> {
  const plain = (members: Iterable<Member>): Unpacked => ({ members, drop() {} });
  switch (container.how) {
    case "zip":
      return await zipped(source, workDir, timeMs);
    case "tar":
      return plain(tar(source));
    case "cpio":
      return plain(cpio(source));
    case "gzip":
      return plain(gzip(source, path));
    case "zstd":
      return plain(zstd(source, path));
    case "disk":
      return plain(diskMembers(source));
    case "seven":
      return await oneSeven(() => withSeven(container, source, workDir, timeMs)).catch((error) => {
        if (container.doubtful && error instanceof NoArchive) return plain([]);
        throw error;
      });
    case "closed":
      throw new Damaged(container.what.startsWith("encrypted") ? container.what : `is ${container.what}`);
  }
}

/** What is packed by a method that the gate does not know, 7z unpacks from a zip of these members alone; all the others are
 *  the gate's own to read. */
async function zipped(source: Source, workDir: string | null, timeMs: number): Promise<Unpacked> {
  const own: ZipMember[] = [];
  let fault: unknown = null;
  try {
    for (const member of zip(source)) own.push(member);
  } catch (error) {
    fault = error;
  }
  const rare = own.filter(isRare);
  let laid: LaidOut | null = null;
  let refused: string | null = null;
  if (fault === null && workDir !== null && rare.length > 0)
    try {
      laid = await oneSeven(() => layOut("zip", "zip", repacked(rare.map(({ bySeven }) => bySeven)), workDir, timeMs));
    } catch (error) {
      refused = reason(error);
    }
  return {
    members: (function* () {
      yield* own.filter((member) => !isRare(member));
      if (laid) yield* numberedMembers(laid, rare);
      else for (const member of rare) yield refused === null ? member : { ...member, problem: refused };
      if (fault !== null) throw fault;
    })(),
    drop: () => laid?.drop(),
  };
}

type Rare = ZipMember & { bySeven: Packed };
const isRare = (member: ZipMember): member is Rare => member.bySeven !== undefined;

/** Each is the file of its number, of the size that the directory says, or nobody has seen it.
 *  @throws Damaged at the end, where 7z warns, or laid out something else beside them */
function* numberedMembers({ folder, laid }: LaidOut, rare: Rare[]): Generator<Member> {
  const files = new Map<string, Entry>();
  for (const entry of folderVolume(folder).entries(countdown(ENTRIES_MAX)))
    files.set(entry.path.toString("latin1"), entry);
  for (const [index, { bySeven, problem: _, ...member }] of rare.entries()) {
    const file = files.get(String(index));
    if (file?.kind === "file" && file.content !== null && file.size === bySeven.size)
      yield { ...member, content: file.content };
    else yield { ...member, problem: "7z did not lay it out as a file of its size" };
  }
  if (laid.warning !== null) throw new Damaged(laid.warning);
  if (files.size !== rare.length || laid.files !== rare.length)
    throw new Damaged(`is zip with ${rare.length} members for 7z, which laid out ${files.size}`);
}

async function withSeven(
  { type, name, from, bytes }: Extract<Container, { how: "seven" }>,
  source: Source,
  workDir: string | null,
  timeMs: number,
): Promise<Unpacked> {
  const refused = sevenLeavesOut(type, source);
  if (refused !== null) throw new Damaged(refused);
  if (workDir === null)
    throw new Damaged(`holds an archive (${name}) that only 7z opens, which needs bubblewrap to confine it`);
  const content = chunksOf(slice(source, from, Math.min(bytes ?? source.size, source.size - from)));
  const { folder, laid, drop } = await layOut(type, name, content, workDir, timeMs);
  return { members: unpackedMembers(folder, laid, name), drop };
}

type LaidOut = { folder: string; laid: Laid; drop(): void };

/** @throws Damaged where 7z could not unpack all of it; nothing stays then */
async function layOut(
  type: string,
  name: string,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  workDir: string,
  timeMs: number,
): Promise<LaidOut> {
  const folder = `${workDir}/${randomUUID()}`;
  // where the archive has no name for what it holds, 7z takes this one without its ending
  const file = `${folder}/content.bin`;
  const drop = () => rmSync(folder, { recursive: true, force: true });
  try {
    mkdirSync(`${folder}/out`, { recursive: true });
    const fd = openSync(file, "wx", 0o600);
    try {
      for await (const chunk of content) writeAll(fd, chunk);
    } finally {
      closeSync(fd);
    }
    const laid = await unpackWithSeven(type, name, file, `${folder}/out`, timeMs);
    rmSync(file);
    return { folder: `${folder}/out`, laid, drop };
  } catch (error) {
    drop();
    throw error;
  }
}

/** @throws Damaged at the end, where 7z warns, or there are other files or fewer bytes than it says it unpacked: it counts
 *  what a folder holds as its content, and leaves that out */
function* unpackedMembers(folder: string, { files, bytes, warning }: Laid, name: string): Generator<Member> {
  let seen = 0;
  let held = 0;
  for (const entry of folderVolume(folder).entries(countdown(ENTRIES_MAX))) {
    if (entry.kind !== "folder") seen += 1;
    held += entry.kind === "link" ? linkBytes(entry) : entry.size;
    yield fromEntry(entry);
  }
  if (warning !== null) throw new Damaged(warning);
  if (seen !== files) throw new Damaged(`is ${name} with ${files} files, of which ${seen} could be laid out`);
  if (held < bytes) throw new Damaged(`is ${name} with ${bytes} bytes, of which ${held} could be laid out as files`);
}

/** Of where it points, never more than there are: what is no UTF-8 is counted as one each. */
function linkBytes({ detail = "" }: Entry): number {
  const target = detail.replace(/^to /, "");
  return target.includes("\ufffd") ? target.length : Buffer.byteLength(target);
}

/** What it may hold that 7z passes over in silence. */
function sevenLeavesOut(type: string, source: Source): string | null {
  if (type === "Cab") return namesFolder(source) ? "is a cabinet with a folder that has content" : null;
  if (type !== "QCOW" || source.size < 104) return null;
  const head = source.read(0, 104);
  if (head.readUInt32BE(32) !== 0) return "encrypted (QCOW2 disk image)";
  if (head.readUInt32BE(4) >= 2 && head.readUInt32BE(60) > 0)
    return "is a QCOW2 disk image with snapshots, which the gate does not read";
  return null;
}
