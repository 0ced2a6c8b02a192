/** Files laid and changed as others on the machine do, under the door that is tested. */
import { appendFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import type { Dom0 } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";

export type Host = {
  dom0: Dom0;
  folder: string;
  write(path: string, text: string): void;
  append(path: string, text: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  truncate(path: string, bytes: number): void;
  link(path: string): void;
};

export const realHost = (folder: string): Host => ({
  ...{ dom0: realDom0, folder, write: writeFileSync, append: appendFileSync, rename: renameSync, remove: rmSync },
  truncate: truncateSync,
  link: (path) => {
    rmSync(path, { force: true });
    symlinkSync("/etc/hostname", path);
  },
});
