/** A fresh Debian root as a machine to install on: made by mmdebstrap from this machine's own mirror, entered in a mount
 *  namespace of its own, so that nothing of it is left when its process ends. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { copyFileSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { archive, sourceLine } from "../../hv-patches/tools/debian.ts";

const run = promisify(execFile);
const MAKE_MS_MAX = 600_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Whether this machine's mirror serves a release at all: one that does not is no fault of the package. */
export async function archiveHas(suite: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-release-"));
  try {
    const { mirror } = await archive();
    const file = join(folder, "InRelease");
    await run("/usr/lib/apt/apt-helper", ["download-file", `${mirror}/dists/${suite}/InRelease`, file]);
    return true;
  } catch (error) {
    process.stderr.write(`left out: no ${suite} from this machine's mirror: ${(error as Error).message}\n`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const installing = (deb: string): string =>
  `env DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c 'apt-get install -y -q --no-install-recommends /root/${basename(deb)} >> /root/said 2>&1'`;

export type Ran = { code: number; out: string };

export class Root {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `packages` are there already, so that installing what needs them downloads nothing. `debs` are installed while the
   *  mirror can be asked, as `apt install ./FILE` does: apt chooses what they need; what it says is in /root/said. */
  static async make(suite: string, packages: readonly string[], debs: readonly string[] = []): Promise<Root> {
    const folder = mkdtempSync(join(tmpdir(), `sallyport-${suite}-`));
    const from = { ...(await archive()), suite };
    const excluded = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*"];
    const included = [...excluded.map((each) => `path-exclude=${each}`), "path-include=/usr/share/*/sallyport-agent*"];
    const bounds = [
      '--aptopt=Acquire::Check-Valid-Until "false"',
      "--aptopt=APT::Sandbox::User root",
      ...included.map((each) => `--dpkgopt=${each}`),
      ...packages.map((each) => `--include=${each}`),
      ...debs.flatMap((deb) => [`--customize-hook=copy-in ${deb} /root`, `--customize-hook=${installing(deb)}`]),
    ];
    await run("mmdebstrap", ["--quiet", "--variant=minbase", ...bounds, suite, folder, sourceLine(from)], {
      timeout: MAKE_MS_MAX,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    writeFileSync(join(folder, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
    return new Root(folder);
  }

  /** At `to` inside; returns that. */
  bring(file: string, to = `/root/${basename(file)}`): string {
    copyFileSync(file, join(this.folder, to));
    return to;
  }

  /** A link counts as there wherever it leads: its target is a path inside. */
  has(path: string): boolean {
    return lstatSync(join(this.folder, path), { throwIfNoEntry: false }) !== undefined;
  }

  /** Both streams in one text. */
  async run(...command: string[]): Promise<Ran> {
    const child = this.start(...command);
    let out = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes: Buffer) => {
        out += bytes;
      });
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? -1));
    });
    return { code, out };
  }

  /** A signal to it reaches the command itself: everything before it has become it. */
  start(...command: string[]): ChildProcess {
    const enter = [
      'mount --bind "$0" "$0"',
      'cd "$0"',
      "mkdir -p .outside",
      "mount -t proc proc proc",
      "mount --rbind /dev dev",
      // a chroot would do, but sandboxes inside need a root that is a mount of its own
      "pivot_root . .outside",
      "umount -l /.outside",
      'exec "$@"',
    ].join(" && ");
    const env = {
      ...{ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
      ...{ HOME: "/root", TERM: "dumb" },
    };
    return spawn("unshare", ["--mount", "--", "sh", "-c", enter, this.folder, ...command], { env });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
