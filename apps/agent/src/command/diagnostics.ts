/** diagnostics → one record of what a person would ask for first. Each part is its program's last words, bounded, and so
 *  is the whole: what does not fit is cut at its beginning, and says so. */
import type { CommandId } from "@sallyport/shared/base/ids.ts";
import type { CommandDiagnostics } from "@sallyport/shared/record/command.ts";
import { contentBytes } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Dom0 } from "../dom0/dom0.ts";
import { nothingToNote, type Performer } from "./performer.ts";

export type DiagnosticsParts = {
  dom0: Pick<Dom0, "run" | "monotonic">;
  versions: (signal: AbortSignal) => Promise<Record<string, string>>;
  /** What the agent last reported: sections, sources, spool, link. */
  report: () => unknown;
  /** Where the detector answers, if there is one. */
  detectorSocket?: string;
  agentVersion: string;
  now: () => number;
};

const UNITS = ["sallyport-*", "clamav-*", "suricata*", "ulogd*", "xen*", "systemd-udevd*", "nftables*"];
const JOURNALS = [
  "sallyport-agent",
  "sallyport-ids",
  "sallyport-drops",
  "sallyport-firewall",
  "sallyport-usb-hold",
  "sallyport-guest@*",
];
const PACKAGES = [
  "sallyport-agent",
  "bubblewrap",
  "clamav-daemon",
  "cryptsetup-bin",
  "nftables",
  "suricata",
  "ulogd2",
  "xen-utils-common",
];
const journal = (lines: number, ...more: string[]) => [
  "--no-pager",
  "--output",
  "short-iso",
  "--lines",
  String(lines),
  ...more,
];

/** Name, and what is run for it. Nothing that a guest wrote is among them but what it wrote into Xen's log. The kernel's
 *  log is asked of the journal: under its unit the agent may not read it itself. */
const programs = (
  detectorSocket: string | undefined,
): readonly (readonly [name: string, program: string, args: readonly string[]])[] => [
  ["units", "systemctl", ["list-units", "--all", "--full", "--plain", "--no-pager", "--no-legend", ...UNITS]],
  ["failed units", "systemctl", ["list-units", "--failed", "--full", "--plain", "--no-pager", "--no-legend"]],
  ["packages", "dpkg-query", ["--show", ...PACKAGES]],
  ["xl info", "xl", ["info"]],
  ["xl list", "xl", ["list"]],
  ["xl dmesg", "xl", ["dmesg"]],
  ["kernel", "journalctl", journal(400, "--dmesg")],
  ["journal", "journalctl", journal(400, ...JOURNALS.flatMap((unit) => ["--unit", unit]))],
  ["scanner's journal", "journalctl", journal(100, "--unit", "clamav-daemon")],
  ["nftables", "nft", ["list", "ruleset"]],
  ...(detectorSocket === undefined
    ? []
    : [["detector's counters", "suricatasc", ["-c", "dump-counters", detectorSocket]] as const]),
  ["block devices", "lsblk", ["--output", "NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT"]],
  ["disk space", "df", ["--human-readable", "--output=target,size,used,avail,pcent"]],
  ["network devices", "ip", ["-brief", "address"]],
];

/** Nothing of it is printed by any of them; should one do so after all, it stays in dom0. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
    "[a private key, left out]",
  ],
  [/sallyport1\.[A-Za-z0-9_-]{16,}/g, "[an enrolment token, left out]"],
  [/\b(?:[0-9a-z]{8}-){7}[0-9a-z]{8}\b/g, "[a recovery key, left out]"],
];
const withoutSecrets = (text: string): string =>
  SECRETS.reduce((all, [secret, word]) => all.replace(secret, word), text);

export const PART_CHARS_MAX = 40_000;
/** Below a record's 256 KiB, with room for words and salt. */
export const BUNDLE_BYTES_MAX = 200 * 1024;
const PROGRAM_MS_MAX = 15_000;
/** For all of them: on a machine where each hangs, other orders wait no longer than this. */
export const ALL_MS_MAX = 60_000;
/** Only the end is kept, but a program may say much before it. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export type Part = CommandDiagnostics["parts"][number];

export const diagnosticsPerformer = (parts: DiagnosticsParts): Performer<"diagnostics"> => ({
  note: nothingToNote,
  async perform({ command, signal }) {
    const gathered: Part[] = [];
    const began = parts.dom0.monotonic();
    const versions = { agent: parts.agentVersion, node: process.version, ...(await parts.versions(signal)) };
    gathered.push(
      partOf(
        "versions",
        Object.entries(versions)
          .map(([name, version]) => `${name} ${version}`)
          .join("\n"),
      ),
    );
    gathered.push(partOf("report", JSON.stringify(parts.report() ?? null, null, 1)));
    for (const [name, program, args] of programs(parts.detectorSocket))
      gathered.push(await ask(parts.dom0, began + ALL_MS_MAX, name, program, args, signal));
    const body = bounded(command.id, gathered);
    const bytes = body.parts.reduce((sum, part) => sum + (part.text?.length ?? 0), 0);
    const text = `Diagnostics: ${body.parts.length} parts, ${bytes} characters`;
    const observation: Observation = { kind: "command.diagnostics", severity: "info", time: parts.now(), text, body };
    return { outcome: "done", reason: text.toLowerCase(), observations: [observation] };
  },
});

async function ask(
  dom0: Pick<Dom0, "run" | "monotonic">,
  until: number,
  name: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Part> {
  const timeoutMs = Math.min(PROGRAM_MS_MAX, Math.ceil(until - dom0.monotonic()));
  if (timeoutMs <= 0)
    return { name, bytes: 0, truncated: false, why: `not asked: what came before took ${ALL_MS_MAX / 1000} s` };
  const limits = { timeoutMs, outputBytesMax: OUTPUT_BYTES_MAX, signal };
  const ran = await dom0.run(program, args, limits).catch((error: Error) => error.message);
  if (typeof ran === "string")
    return { name, bytes: 0, truncated: false, why: withoutSecrets(ran.toWellFormed()).slice(0, 512) };
  const part = partOf(name, ran.stdout);
  const said = ran.stderr.trim().split("\n")[0] ?? "";
  const why = ran.timedOut ? `it took longer than ${timeoutMs / 1000} s` : said || `exit ${ran.code}`;
  return ran.code === 0 ? part : { ...part, why: withoutSecrets(why.toWellFormed()).slice(0, 512) };
}

function partOf(name: string, text: string): Part {
  const whole = withoutSecrets(text.toWellFormed());
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
