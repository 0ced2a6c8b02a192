/** cryptsetup on plain files, as the tests of volumes ask for it. */
import { execFileSync } from "node:child_process";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import type { Tpm } from "../../src/dom0/tpm.ts";

/** Keys are stretched as little as cryptsetup allows: what is tested is not how long Argon2 takes. */
export const QUICK = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];

/** `asked`: each program that was run, with its arguments. */
export function watchedDisk(tpm?: Tpm) {
  const asked: string[] = [];
  const dom0: typeof realDom0 = {
    ...realDom0,
    run(program, args, limits) {
      asked.push([program, ...args].join(" "));
      return realDom0.run(program, args, limits);
    },
  };
  return { asked, watched: cryptsetupDisk(dom0, QUICK, tpm) };
}

/** Whether this machine lends devices over files. */
export function hasLoops(): boolean {
  try {
    execFileSync("losetup", ["--find"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
