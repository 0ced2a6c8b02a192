/** The apt repository in the state folder (`packages/`, made by `npm run deb -- --repository`) → whoever asks: apt has no
 *  session, and what it fetches is signed by a key that this console does not hold (docs/package.md). */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

/** Of a flat repository and nothing else; no name here has a slash or begins with a dot. */
const SERVED =
  /^(?:InRelease|Release|Release\.gpg|Packages|Packages\.gz|sallyport\.sources|[a-z0-9][a-z0-9.+_~-]{0,127}\.(?:deb|gpg))$/i;
const TYPES: Record<string, string> = { deb: "application/vnd.debian.binary-package", gpg: "application/pgp-keys" };

const folder = (state: string): string => join(state, "packages");

/** What the Enrol page names. `sources`: the sha256 of what a machine writes down to use the repository; null where it was
 *  made without an address. */
export type Packages = { sources: string | null };

/** Null: there is none. */
export function packagesOf(state: string): Packages | null {
  if (!existsSync(join(folder(state), "InRelease"))) return null;
  const path = join(folder(state), "sallyport.sources");
  return { sources: existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : null };
}

export async function servePackage(state: string, name: string): Promise<Response> {
  const absent = new Response("There is no such file in this console's package repository.\n", { status: 404 });
  if (!SERVED.test(name)) return absent;
  const path = join(folder(state), name);
  const file = await open(path, "r").catch(() => undefined);
  if (!file) return absent;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return absent;
    const headers = {
      "content-type": TYPES[name.split(".").at(-1) ?? ""] ?? "text/plain; charset=utf-8",
      "content-length": String(stats.size),
      "last-modified": stats.mtime.toUTCString(),
      // names stay while their contents change with each release
      "cache-control": "no-cache",
    };
    return new Response(
      Readable.toWeb(createReadStream(path, { end: Math.max(0, stats.size - 1) })) as ReadableStream,
      {
        headers,
      },
    );
  } finally {
    await file.close();
  }
}
