/** diagnostics → one record of what a person would ask for first. Each part is its program's last words, bounded, and so
 *  is the whole: what does not fit is cut at its beginning, and says so. */

import type { CommandId } from "@sallyport/shared/base/ids.ts";
import type { CommandDiagnostics } from "@sallyport/shared/record/command.ts";
import { contentBytes } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Dom0 } from "../dom0/dom0.ts";
import { nothingToNote, type Performer } from "./performer.ts";

export type DiagnosticsParts = {
  dom0: Pick<Dom0, "run">;
  versions: (signal: AbortSignal) => Promise<Record<string, string>>;
  agentVersion: string;
  now: () => number;
};

/** Name, and what is run for it. Nothing that a guest wrote is among them but what it wrote into Xen's log. */
const PROGRAMS: readonly [name: string, program: string, args: readonly string[]][] = [
  ["xl info", "xl", ["info"]],
  ["xl list", "xl", ["list"]],
  ["xl dmesg", "xl", ["dmesg"]],
  ["kernel", "dmesg", ["--decode", "--time-format", "iso"]],
  ["journal", "journalctl", ["--no-pager", "--output", "short-iso", "--lines", "400", "--unit", "sallyport-agent"]],
  ["nftables", "nft", ["list", "ruleset"]],
  ["block devices", "lsblk", ["--output", "NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT"]],
  ["network devices", "ip", ["-brief", "address"]],
];

export const PART_CHARS_MAX = 40_000;
/** Below a record's 256 KiB, with room for words and salt. */
export const BUNDLE_BYTES_MAX = 200 * 1024;
const PROGRAM_MS_MAX = 15_000;
/** Only the end is kept, but a program may say much before it. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export type Part = CommandDiagnostics["parts"][number];

export const diagnosticsPerformer = (parts: DiagnosticsParts): Performer<"diagnostics"> => ({
  note: nothingToNote,
  async perform({ command, signal }) {
    const gathered: Part[] = [];
    const versions = { agent: parts.agentVersion, node: process.version, ...(await parts.versions(signal)) };
    gathered.push(
      partOf(
        "versions",
        Object.entries(versions)
          .map(([name, version]) => `${name} ${version}`)
          .join("\n"),
      ),
    );
    for (const [name, program, args] of PROGRAMS) gathered.push(await ask(parts.dom0, name, program, args, signal));
    const body = bounded(command.id, gathered);
    const bytes = body.parts.reduce((sum, part) => sum + (part.text?.length ?? 0), 0);
    const text = `Diagnostics: ${body.parts.length} parts, ${bytes} characters`;
    const observation: Observation = { kind: "command.diagnostics", severity: "info", time: parts.now(), text, body };
    return { outcome: "done", reason: text.toLowerCase(), observations: [observation] };
  },
});

async function ask(
  dom0: Pick<Dom0, "run">,
  name: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Part> {
  const limits = { timeoutMs: PROGRAM_MS_MAX, outputBytesMax: OUTPUT_BYTES_MAX, signal };
  const ran = await dom0.run(program, args, limits).catch((error: Error) => error.message);
  if (typeof ran === "string") return { name, bytes: 0, truncated: false, why: ran.toWellFormed().slice(0, 512) };
  const part = partOf(name, ran.stdout);
  const said = ran.stderr.trim().split("\n")[0] ?? "";
  const why = ran.timedOut ? `it took longer than ${PROGRAM_MS_MAX / 1000} s` : said || `exit ${ran.code}`;
  return ran.code === 0 ? part : { ...part, why: why.toWellFormed().slice(0, 512) };
}

function partOf(name: string, text: string): Part {
  const whole = text.toWellFormed();
  const kept = whole.slice(-PART_CHARS_MAX).toWellFormed();
  return { name, text: kept, bytes: Buffer.byteLength(whole), truncated: kept.length < whole.length };
}

/** Whatever was gathered, as a body that a record holds: the longest part gives way by half, again and again. */
export function bounded(command: CommandId, gathered: readonly Part[]): CommandDiagnostics {
  const parts = gathered.slice(0, 32).map((part) => ({ ...part }));
  const size = (part: Part) => contentBytes({ text: "", body: { text: part.text ?? "" } }).length;
  const isTooLarge = () => contentBytes({ text: "", body: { parts } }).length > BUNDLE_BYTES_MAX;
  // 32 parts of a megabyte are small enough after 640 halvings
  for (let rounds = 0; rounds < 1_000 && isTooLarge(); rounds++) {
    const longest = parts.reduce((a, b) => (size(b) > size(a) ? b : a));
    const text = longest.text ?? "";
    longest.text = text.slice(Math.ceil(text.length / 2)).toWellFormed();
    longest.truncated = true;
  }
  return { command, parts };
}
