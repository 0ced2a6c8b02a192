/** The real Suricata. Bookworm has none: trixie's is unpacked with all it needs into the project's cache, and runs with
 *  its own loader. Nothing of the machine is changed. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { archive, CACHE, privateApt } from "../../../../packages/hv-patches/tools/debian.ts";

const execute = promisify(execFile);
const LIMITS = { timeout: 240_000, maxBuffer: 64 * 1024 * 1024 };
const ATTEMPTS = 3;

export type Suricata = { program: string[]; classification: string; reference: string };

/** Nothing, said aloud, where another release's packages cannot be had: this machine does not promise them. */
export async function realSuricata(): Promise<Suricata | null> {
  if (existsSync("/usr/bin/suricata"))
    return {
      program: ["/usr/bin/suricata"],
      classification: "/etc/suricata/classification.config",
      reference: "/etc/suricata/reference.config",
    };
  const folder = join(CACHE, "suricata");
  try {
    if (!existsSync(join(folder, "tree"))) await unpack(folder);
  } catch (error) {
    process.stderr.write(`left out: Suricata of trixie cannot be had: ${(error as Error).message}\n`);
    return null;
  }
  const tree = join(folder, "tree");
  return {
    program: [
      join(tree, "usr/lib64/ld-linux-x86-64.so.2"),
      "--library-path",
      join(tree, "usr/lib/x86_64-linux-gnu"),
      join(tree, "usr/bin/suricata"),
    ],
    classification: join(tree, "etc/suricata/classification.config"),
    reference: join(tree, "etc/suricata/reference.config"),
  };
}

/** An apt of its own: no list, pin or package of the machine is read or touched. Test files begin beside one another: each
 *  unpacks for itself, and the first one's tree stays. */
async function unpack(folder: string): Promise<void> {
  const apt = join(folder, `apt-${process.pid}`);
  for (let attempt = 1; ; attempt++) {
    try {
      const options = await privateApt(await archive(), apt);
      await execute("apt-get", [...options, "install", "--download-only", "-q", "-y", "suricata"], LIMITS);
      break;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
  const partial = join(folder, `tree.partial-${process.pid}`);
  await mkdir(partial, { recursive: true });
  const debs = (await readdir(join(apt, "archives"))).filter((name) => name.endsWith(".deb"));
  for (const deb of debs) await execute("dpkg-deb", ["-x", join(apt, "archives", deb), partial], LIMITS);
  await rename(partial, join(folder, "tree")).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  for (const each of [apt, partial]) await rm(each, { recursive: true, force: true });
}
