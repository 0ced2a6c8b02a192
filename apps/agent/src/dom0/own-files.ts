/** Where the agent's own files lie when it runs from source. The Debian package is bundled and has an answer of its own
 *  in this one's place (packages/deb/src/installed-files.ts). */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The confined reader: its folder, the file it begins with, the packages it stands on (null: it brings them), and the
 *  package.json that says how to read it. */
export type ReaderFiles = { folder: string; main: string; modules: string | null; manifest: string };

export const readerFiles = (): ReaderFiles => files("../gate/reader", "main.ts");

/** The confined rebuilder stands beside the reader and on it. */
export const rebuilderFiles = (): ReaderFiles => files("../gate", "rebuild/main.ts");

const files = (folder: string, main: string): ReaderFiles => ({
  folder: fileURLToPath(new URL(folder, import.meta.url)),
  main,
  modules: createRequire(import.meta.url)
    .resolve("file-type")
    .replace(/\/file-type\/.*$/, ""),
  manifest: fileURLToPath(new URL("../../package.json", import.meta.url)),
});
