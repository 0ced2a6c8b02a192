/** A trail as a workstation would sign it, laid out as an export, for tests. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { concat, toBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { GuestId, Sha256, Time, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { commitment, contentBytes } from "@sallyport/shared/record/content.ts";
import type { Kind } from "@sallyport/shared/record/kinds.ts";
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { Tiler, tileBytes, tilePath, tilesOf, writeBundle } from "@sallyport/shared/trail/layout.ts";
import { vkey } from "@sallyport/shared/trail/note.ts";
import { appendAll, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { newSigner } from "../../shared/test/keys.ts";

export const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest());

export type Trail = {
  origin: string;
  vkey: string;
  /** The note over the first `size` records. */
  checkpoint: (size: number) => string;
  entries: string[];
  contents: { salt: Uint8Array; content: Uint8Array }[];
};

/** `opened`: the body of a first record of kind `trail.opened`; without it all are guest lines. */
export function makeTrail(size: number, opened?: object, kinds: Readonly<Record<number, string>> = {}): Trail {
  const { publicKey, sign } = newSigner();
  const name = origin(randomUUID() as string as WorkstationId, randomUUID() as string as TrailId);
  const contents = Array.from({ length: size }, (_, index) => ({
    salt: new Uint8Array(randomBytes(32)),
    content: contentBytes({
      text: `line ${index}`,
      body: index === 0 && opened ? (opened as never) : { line: `line ${index} \u2028 \u0000` },
    }),
  }));
  const entries = contents.map(({ salt, content }, index) =>
    entryText({
      index,
      time: new Date(1_795_000_000_000 + index).toISOString() as Time,
      kind: (kinds[index] ?? (index === 0 && opened ? "trail.opened" : "guest.log")) as Kind,
      severity: "info",
      guest: "primary" as GuestId,
      content: toHex(commitment(hash, salt, content)) as Sha256,
    }),
  );
  const leaves = entries.map((entry) => leafHash(hash, entry));
  const checkpoint = (count: number) => {
    const edge = appendAll(hash, EMPTY_EDGE, leaves.slice(0, count));
    return signCheckpoint(hash, sign, publicKey, { origin: name, size: count, root: root(hash, edge) });
  };
  return { origin: name, vkey: vkey(hash, name, publicKey), checkpoint, entries, contents };
}

/** The first `size` records as `sallyport export` lays them out: a file's name → its bytes. */
export function layOut(trail: Trail, size = trail.entries.length): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  files.set("vkey", toUtf8(`${trail.vkey}\n`));
  files.set("checkpoint", toUtf8(trail.checkpoint(size)));
  const tiler = new Tiler(hash);
  const tile = ({ level, index, hashes }: { level: number; index: number; hashes: Uint8Array[] }) =>
    files.set(tilePath(level, index, hashes.length), tileBytes(hashes));
  for (const { index, width } of tilesOf(0, size)) {
    const from = index * 256;
    const entries = trail.entries.slice(from, from + width);
    files.set(tilePath("entries", index, width), writeBundle(entries));
    const lines = trail.contents
      .slice(from, from + width)
      .map(({ salt, content }, at) => concat(toUtf8(`${from + at}\t${toBase64(salt)}\t`), content, toUtf8("\n")));
    files.set(tilePath("contents", index, width), concat(...lines));
    for (const entry of entries) for (const full of tiler.add(leafHash(hash, entry))) tile(full);
  }
  for (const partial of tiler.rest()) tile(partial);
  return files;
}

export function writeExport(trail: Trail, folder: string, size = trail.entries.length): void {
  for (const [name, bytes] of layOut(trail, size)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}
