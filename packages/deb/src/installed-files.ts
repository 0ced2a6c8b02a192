/** In the bundle this stands in the place of apps/agent/src/dom0/own-files.ts: where the package has put the reader. */
import { fileURLToPath } from "node:url";
import type { ReaderFiles } from "../../../apps/agent/src/dom0/own-files.ts";

export const readerFiles = (): ReaderFiles => files("main.js");
export const rebuilderFiles = (): ReaderFiles => files("rebuild.js");

const files = (main: string): ReaderFiles => ({
  folder: fileURLToPath(new URL("../reader", import.meta.url)),
  main,
  modules: null,
  manifest: fileURLToPath(new URL("../package.json", import.meta.url)),
});
