/** An export on disk, as a folder or as one pack (tar), read piece by piece; and a pack laid out as a folder. */
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isAnswer, whyNot } from "@sallyport/shared/base/why.ts";
import { Fault } from "./fault.ts";
import { piecesOf, placesOf, refuseTooLarge } from "./pieces.ts";

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
  const read = async (name: string) => {
    if (!names.has(name)) return undefined;
    const path = join(folder, name);
    refuseTooLarge(name, statSync(path).size);
    return readFileSync(path);
  };
  return { names, read, close: async () => undefined };
}

async function openPack(path: string): Promise<Export> {
  const file = await open(path);
  try {
    const places = await placesOf((at, size) => readAt(file, at, size));
    const read = async (name: string) => {
      const place = places.get(name);
      if (!place) return undefined;
      refuseTooLarge(name, place.size);
      return readAt(file, place.at, place.size);
    };
    return { names: new Set(places.keys()), read, close: () => file.close() };
  } catch (error) {
    await file.close();
    if (!(error instanceof Fault)) throw error;
    throw new Fault(`${path} is no export: ${error.message}. Name a folder or a pack that \`sallyport export\` wrote.`);
  }
}

async function readAt(file: FileHandle, at: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  const { bytesRead } = await file.read(bytes, 0, size, at);
  return bytes.subarray(0, bytesRead);
}

/** A pack as it arrives → files under `folder`, how many. Throws where it breaks off before its end. */
export async function unpack(chunks: AsyncIterable<Uint8Array>, folder: string): Promise<number> {
  let files = 0;
  for await (const { name, bytes } of piecesOf(chunks)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
    files++;
  }
  return files;
}
