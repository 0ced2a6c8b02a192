/** Archive → members, by whichever reader its format has. */
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { chunksOf } from "../content.ts";
import { folderVolume } from "../folder.ts";
import { lanes } from "../lanes.ts";
import { Damaged, type Source } from "../source.ts";
import { countdown, type Entry, type Volume } from "../volume.ts";
import { iso } from "../volumes/iso.ts";
import type { ArchiveFormat } from "./format.ts";
import type { Member } from "./member.ts";
import { unpackWithSeven } from "./seven.ts";
import { writeAll } from "./spool.ts";
import { tar } from "./tar.ts";
import { gzip, zstd } from "./unpack.ts";
import { zip } from "./zip.ts";

export type Unpacked = { members: Iterable<Member>; drop(): void };

/** Members are counted by the medium's own bound; this one only keeps a walk from being endless. */
const ENTRIES_MAX = 1_000_000;
/** One 7z at a time: what it unpacks lies in the reader's folder, whose room is bounded. */
const oneSeven = lanes(1);

/** @throws Damaged where it cannot be opened */
export async function openArchive(
  format: ArchiveFormat,
  source: Source,
  path: Buffer,
  workDir: string | null,
  timeMs: number,
): Promise<Unpacked> {
  const plain = (members: Iterable<Member>): Unpacked => ({ members, drop() {} });
  switch (format) {
    case "zip":
      return plain(zip(source));
    case "tar":
      return plain(tar(source));
    case "gzip":
      return plain(gzip(source, path));
    case "zstd":
      return plain(zstd(source, path));
    case "iso": {
      const volume = iso(source);
      if (!volume) throw new Damaged("is a disc image without a file system that the gate reads");
      if (volume.problem) throw new Damaged(volume.problem);
      return plain(fromVolume(volume));
    }
    case "other":
      return await oneSeven(() => withSeven(source, workDir, timeMs));
  }
}

function* fromVolume(volume: Volume): Generator<Member> {
  for (const entry of volume.entries(countdown(ENTRIES_MAX))) yield fromEntry(entry);
}

const fromEntry = ({ path, kind, size, content, problem, detail }: Entry): Member => ({
  name: path,
  kind,
  size,
  content,
  ...(problem === undefined ? {} : { problem }),
  ...(detail === undefined ? {} : { detail }),
});

async function withSeven(source: Source, workDir: string | null, timeMs: number): Promise<Unpacked> {
  if (workDir === null) throw new Damaged("is an archive that only 7z opens, which needs bubblewrap to confine it");
  const folder = `${workDir}/${randomUUID()}`;
  const drop = () => rmSync(folder, { recursive: true, force: true });
  try {
    mkdirSync(`${folder}/out`, { recursive: true });
    const fd = openSync(`${folder}/in`, "wx", 0o600);
    try {
      for await (const chunk of chunksOf(source)) writeAll(fd, chunk);
    } finally {
      closeSync(fd);
    }
    await unpackWithSeven(`${folder}/in`, `${folder}/out`, timeMs);
    return { members: fromVolume(folderVolume(`${folder}/out`)), drop };
  } catch (error) {
    drop();
    throw error;
  }
}
