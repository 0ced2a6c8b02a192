/** What runs beside the agent and in which version, asked of the programs themselves. */
import type { Dom0 } from "../../dom0/dom0.ts";

export type ProgramsDoor = Pick<Dom0, "run" | "readText">;

const PROGRAMS: [name: string, program: string, args: string[]][] = [
  ["suricata", "suricata", ["-V"]],
  ["clamd", "clamd", ["--version"]],
  ["nft", "nft", ["--version"]],
  ["ulogd", "ulogd", ["--version"]],
  ["cryptsetup", "cryptsetup", ["--version"]],
];
const XEN = ["major", "minor", "extra"].map((part) => `/sys/hypervisor/version/${part}`);

/** Absent where a program is not there or does not answer. */
export async function programVersions(dom0: ProgramsDoor, signal: AbortSignal): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, program, args] of PROGRAMS) {
    const limits = { timeoutMs: 5_000, outputBytesMax: 4_096, signal };
    const ran = await dom0.run(program, args, limits).catch(() => undefined);
    const version = ran && versionIn(ran.stdout || ran.stderr);
    if (version) found[name] = version;
  }
  const parts = await Promise.all(XEN.map((path) => dom0.readText(path, 64).catch(() => undefined)));
  const xen = xenVersion(parts);
  if (xen) found.xen = xen;
  return found;
}

/** The first thing that reads like one: `7.0.10`, `1.0.6`. */
export const versionIn = (text: string): string | undefined =>
  /\d{1,4}(?:\.\d{1,6}){1,3}[\w.~+-]{0,32}/.exec(text)?.[0];

/** Major, minor and what Xen writes behind them (`.3`). */
export function xenVersion(parts: readonly (string | undefined)[]): string | undefined {
  const [major, minor, extra = ""] = parts.map((part) => part?.trim());
  return major && minor ? `${major}.${minor}${extra}`.slice(0, 64) : undefined;
}
