/** An export on disk, as a folder or as one pack (tar), read piece by piece; and a pack laid out as a folder. */
import { createWriteStream, type Dirent, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { padded, readTarHeader, TAR_BLOCK } from "@sallyport/shared/wire/tar.ts";
import { Fault } from "./fault.ts";
import { isAnswer, whyNot } from "./why.ts";

/** A piece of an export is at most a bundle of contents: 256 records of 256 KiB. */
const PIECE_BYTES_MAX = 80 * 1024 * 1024;

export type Export = {
  names: ReadonlySet<string>;
  read: (name: string) => Promise<Uint8Array | undefined>;
  close: () => Promise<void>;
};

export async function openExport(path: string): Promise<Export> {
  if (path === "")
    throw new Fault("The export's name is empty: name a folder that `sallyport export` wrote, or a pack.");
  try {
    const stat = statSync(path);
    if (!stat.isDirectory() && !stat.isFile())
      throw new Fault(`${path} is neither a folder nor a file: name what \`sallyport export\` wrote.`);
    return stat.isDirectory() ? openFolder(path) : await openPack(path);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    throw new Fault(`${path} cannot be read: ${whyNot(error)}.`, 1, { cause: error });
  }
}

function openFolder(folder: string): Export {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const name = (entry: Dirent) => relative(folder, join(entry.parentPath, entry.name));
  const names = new Set(entries.filter((entry) => entry.isFile()).map(name));
  const read = async (name: string) => (names.has(name) ? readFileSync(join(folder, name)) : undefined);
  return { names, read, close: async () => undefined };
}

async function openPack(path: string): Promise<Export> {
  const file = await open(path);
  const places = new Map<string, { at: number; size: number }>();
  let at = 0;
  for (;;) {
    const header = readTarHeader(await readAt(file, at, TAR_BLOCK));
    if (!header.ok) {
      await file.close();
      throw new Fault(
        `${path} is no export: ${header.error}. Name a folder or a pack that \`sallyport export\` wrote.`,
      );
    }
    if (header.value === "end") break;
    const { name, size } = header.value;
    if (places.has(name)) throw new Fault(`${path} holds ${name} twice.`);
    places.set(name, { at: at + TAR_BLOCK, size });
    at += TAR_BLOCK + padded(size);
  }
  const read = async (name: string) => {
    const place = places.get(name);
    if (!place) return undefined;
    if (place.size > PIECE_BYTES_MAX)
      throw new Fault(`${name} has ${place.size} bytes; no piece of an export is that large.`);
    return readAt(file, place.at, place.size);
  };
  return { names: new Set(places.keys()), read, close: () => file.close() };
}

async function readAt(file: FileHandle, at: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  const { bytesRead } = await file.read(bytes, 0, size, at);
  return bytes.subarray(0, bytesRead);
}

/** A pack as it arrives → files under `folder`. Throws where it breaks off before its end. */
export async function unpack(chunks: AsyncIterable<Uint8Array>, folder: string): Promise<number> {
  const stream = new Pieces(chunks);
  for (let files = 0; ; files++) {
    const header = readTarHeader(await stream.take(TAR_BLOCK));
    if (!header.ok) throw new Fault(`The export broke off or is damaged: ${header.error}.`);
    if (header.value === "end") return files;
    const { name, size } = header.value;
    if (size > PIECE_BYTES_MAX) throw new Fault(`${name} has ${size} bytes; no piece of an export is that large.`);
    const bytes = await stream.take(padded(size));
    if (bytes.length < padded(size)) throw new Fault(`The export broke off in the middle of ${name}.`);
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    await new Promise<void>((resolve, reject) => {
      createWriteStream(join(folder, name)).on("error", reject).end(bytes.subarray(0, size), resolve);
    });
  }
}

/** Exactly as many bytes as asked for, fewer at the end. */
class Pieces {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Uint8Array> {
    const parts = [this.#held];
    for (let have = this.#held.length; have < size; ) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      parts.push(value);
      have += value.length;
    }
    const all = Buffer.concat(parts);
    this.#held = all.subarray(size);
    return all.subarray(0, size);
  }
}
