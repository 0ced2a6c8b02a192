/** A trail's rows → a pack (tar): tiles, entry bundles, contents, checkpoint and key, made while it is sent. */
import { concat, toBase64, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { leafHash } from "@sallyport/shared/trail/entry.ts";
import { TILE_WIDTH, Tiler, tileBytes, tilePath, tilesOf, writeBundle } from "@sallyport/shared/trail/layout.ts";
import { vkey } from "@sallyport/shared/trail/note.ts";
import { padded, TAR_END, tarHeader } from "@sallyport/shared/wire/tar.ts";
import type { Asked } from "../trail/ranges.ts";
import { sha256 as hash } from "../trail/sha256.ts";
import { type ContentRow, type ExportedTrail, readBundleEntries, readContents } from "./query.ts";

/** `withContents` is false for who may verify evidence but not read it: entries prove, and say nothing of a content.
 *  What is below a trail's size changes no more, but for contents that are erased: so no snapshot is held, each statement
 *  stands alone, and `db` is asked only while a chunk is made. The last bytes are the pack's end: without them it broke
 *  off. */
export async function* packTrail(
  db: Asked,
  trail: ExportedTrail,
  withContents: boolean,
  now: Date,
): AsyncGenerator<Uint8Array> {
  const seconds = Math.floor(now.getTime() / 1000);
  const file = (name: string, bytes: Uint8Array) =>
    concat(tarHeader(name, bytes.length, seconds), bytes, new Uint8Array(padded(bytes.length) - bytes.length));
  const { workstation, name, id, origin, state, size, previous } = trail;
  const about = { workstation, name, trail: id, origin, state, size, previous, exported: now.toISOString() };
  yield file("about.json", toUtf8(`${JSON.stringify(about, null, 2)}\n`));
  yield file("vkey", toUtf8(`${vkey(hash, origin, trail.publicKey)}\n`));
  yield file("checkpoint", toUtf8(trail.checkpoint));
  const tiler = new Tiler(hash);
  const tile = ({ level, index, hashes }: { level: number; index: number; hashes: Uint8Array[] }) =>
    file(tilePath(level, index, hashes.length), tileBytes(hashes));
  for (const { index, width } of tilesOf(0, size)) {
    const entries = await readBundleEntries(db, trail.num, index, width);
    yield file(tilePath("entries", index, width), writeBundle(entries));
    const from = index * TILE_WIDTH;
    const contents = withContents ? await readContents(db, trail.num, from, from + width) : [];
    yield file(tilePath("contents", index, width), concat(...contents.map(contentLine)));
    for (const entry of entries) for (const full of tiler.add(leafHash(hash, entry))) yield tile(full);
  }
  for (const partial of tiler.rest()) yield tile(partial);
  yield TAR_END;
}

/** `index ‖ TAB ‖ salt (base64) ‖ TAB ‖ content ‖ LF`: content is canonical JSON, which holds neither. */
const contentLine = ({ index, salt, content }: ContentRow): Uint8Array =>
  concat(toUtf8(`${index}\t${toBase64(salt)}\t`), content, toUtf8("\n"));
