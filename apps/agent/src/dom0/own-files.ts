/** Where the agent's own files lie when it runs from source. The Debian package is bundled and has an answer of its own
 *  in this one's place (packages/deb/src/installed-files.ts). */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The confined reader: its folder, the file it begins with, the packages it stands on (null: it brings them), and the
 *  package.json that says how to read it. */
export type ReaderFiles = { folder: string; main: string; modules: string | null; manifest: string };

export const readerFiles = (): ReaderFiles => ({
  folder: fileURLToPath(new URL("../gate/reader", import.meta.url)),
  main: "main.ts",
  modules: createRequire(import.meta.url)
    .resolve("file-type")
    .replace(/\/file-type\/.*$/, ""),
  manifest: fileURLToPath(new URL("../../package.json", import.meta.url)),
});
