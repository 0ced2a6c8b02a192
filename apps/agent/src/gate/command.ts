/** `sallyport-agent scan IMAGE|FOLDER`: the gate's reading half from a shell. */
import { availableParallelism } from "node:os";
import { plural } from "@sallyport/shared/base/count.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { DEFAULT_USB, type UsbSection } from "@sallyport/shared/policy/usb.ts";
import { readUsbPolicy } from "@sallyport/shared/policy/usb-text.ts";
import { countFindings } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Command } from "commander";
import { misleadingIn } from "../dom0/clamd-database.ts";
import { changedSinceStart } from "../dom0/clamd-start.ts";
import { startReader } from "../dom0/confine.ts";
import { DoorError } from "../dom0/dom0.ts";
import { findTrays } from "../dom0/scanner-tray.ts";
import { readWords } from "../dom0/stick-folder.ts";
import { checkTarget } from "../dom0/target.ts";
import { CLAMD_CONF, readClamdConf } from "./clamd-conf.ts";
import { lanesFor } from "./lanes.ts";
import { type Clamd, scan } from "./scan.ts";

export type ReadText = (path: string, bytesMax: number) => Promise<string | undefined>;

type Flags = { policy?: string; json?: boolean; clamd?: string; clamdConf?: string };

export const EXIT = { allow: 0, block: 3, hold: 4, error: 1 } as const;
const FILE_BYTES_MAX = 4 * 1024 * 1024;
const SHOWN_MAX = 20;
const PROGRESS_MS = 1_000;

const AFTER = `
Reads FAT12/16/32, exFAT, NTFS, ext2-4 and ISO 9660, with MBR and GPT, and follows archives inwards. Without a scanner,
or past one of its limits, a file is unscannable, never clean. Without --policy infected blocks and unscannable holds.

Exit codes: 0 allow, 3 block, 4 hold, 1 an error of its own.

Example: sallyport-agent scan stick.img --json | jq .verdict`;

export function scanCommand(program: Command, readText: ReadText = readWords): void {
  program
    .command("scan")
    .argument("<target>", "an image file or a folder")
    .description("list, hash and scan a stick's image or a folder, and say what the gate would do with it")
    .option("--policy <file>", "a policy document, or its usb section alone (JSON or YAML)")
    .option("--json", "print the usb.scan record's body as JSON")
    .option("--clamd <socket>", "clamd's Unix socket (else SALLYPORT_CLAMD, else what clamd.conf says)")
    .option(
      "--clamd-conf <file>",
      `clamd's configuration, for its socket and its limits (else SALLYPORT_CLAMD_CONF, else ${CLAMD_CONF})`,
    )
    .addHelpText("after", AFTER)
    .action(async (target: string, flags: Flags) => {
      process.exitCode = await runScan(target, flags, readText);
    });
}

async function runScan(target: string, flags: Flags, readText: ReadText): Promise<number> {
  try {
    await checkTarget(target);
    const policy = await policyOf(flags.policy, readText);
    const clamd = await findClamd(flags.clamd, flags.clamdConf, process.env, readText);
    const body = await scan(target, {
      policy,
      clamd,
      start: startReader,
      now: () => new Date(),
      lanes: lanesFor(availableParallelism()),
      onProgress: process.stderr.isTTY ? progress() : () => {},
    });
    if (body.confined === "node") {
      process.stderr.write(
        `${escapeForDisplay(body.problems?.[0] ?? "")}. It is unscannable so; install bubblewrap: apt-get install bubblewrap\n`,
      );
    }
    if (body.scanner === null) process.stderr.write(`${escapeForDisplay(noScanner(clamd))}\n`);
    process.stdout.write(flags.json ? `${JSON.stringify(body)}\n` : `${inWords(body).join("\n")}\n`);
    return exitCode(body);
  } catch (error) {
    if (!(error instanceof DoorError) && !(error instanceof Refused)) throw error;
    process.stderr.write(`${error.message.split("\n").map(escapeForDisplay).join("\n")}\n`);
    return EXIT.error;
  }
}

const noScanner = (clamd: Clamd | null): string =>
  clamd === null
    ? `There is no clamd: no ${CLAMD_CONF} names its socket. Without it nothing is called clean. Install it (apt-get install clamav-daemon), or name its socket by --clamd.`
    : `No clamd answers at ${clamd.socket}. Without it nothing is called clean. Start it (systemctl start clamav-daemon), or name its socket by --clamd.`;

class Refused extends Error {}

function exitCode(body: ScanBody): number {
  switch (body.verdict) {
    case "allow":
    case "block":
    case "hold":
      return EXIT[body.verdict];
    default:
      return unreachable(body.verdict);
  }
}

async function policyOf(file: string | undefined, readText: ReadText): Promise<UsbSection> {
  if (file === undefined) return DEFAULT_USB;
  const text = await readText(file, FILE_BYTES_MAX);
  if (text === undefined) throw new Refused(`There is no policy file at ${file}.`);
  const policy = readUsbPolicy(text);
  if (!policy.ok) throw new Refused(`${file} is no policy:\n${policy.error}`);
  return policy.value;
}

/** Null where nothing says that there is a clamd. */
export async function findClamd(
  socket: string | undefined,
  conf: string | undefined,
  environment: NodeJS.ProcessEnv,
  readText: ReadText,
): Promise<Clamd | null> {
  const named = conf ?? environment.SALLYPORT_CLAMD_CONF;
  const text = await readText(named ?? CLAMD_CONF, FILE_BYTES_MAX);
  if (text === undefined && named !== undefined) throw new Refused(`There is no clamd configuration at ${named}.`);
  const found = readClamdConf(text ?? "");
  const path = socket ?? environment.SALLYPORT_CLAMD ?? found.socket;
  if (path === null) return null;
  const seen = [
    await changedSinceStart({ conf: named ?? CLAMD_CONF, socket: path }),
    await misleadingIn(found.database),
  ];
  return {
    ...found,
    socket: path,
    trays: await findTrays(),
    doubts: [...seen.filter((doubt) => doubt !== null), ...found.doubts],
  };
}

function progress(): (files: number, bytes: number) => void {
  let last = 0;
  return (files, bytes) => {
    if (Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    process.stderr.write(`\r${files} files, ${Math.round(bytes / 1e6)} MB read `);
  };
}

function inWords(body: ScanBody): string[] {
  const counts = countFindings(body.manifest);
  const by = body.scanner
    ? `${body.scanner.engine}, definitions ${body.scanner.definitions ?? "without a version"}${body.scanner.date ? ` of ${body.scanner.date}` : ""}`
    : "no scanner";
  const notClean = body.manifest.filter((file) => file.finding !== "clean");
  const lines = [
    `${body.verdict}: ${escapeForDisplay(body.reason)}`,
    `${plural(counts.files, "file")}: ${counts.clean} clean, ${counts.infected} infected, ${counts.unscannable} unscannable; by ${by}`,
  ];
  for (const part of body.partitions ?? []) {
    const what = part.fileSystem ?? "nothing the gate reads";
    lines.push(
      `partition ${part.number} (${part.table}): ${what}, ${part.bytes} bytes${part.problem ? `: ${escapeForDisplay(part.problem)}` : ""}`,
    );
  }
  for (const gap of body.outside ?? [])
    lines.push(`outside partitions: ${gap.bytes} bytes from ${gap.from}${gap.zeros ? ", zeros" : ", not zeros"}`);
  for (const file of notClean.slice(0, SHOWN_MAX)) {
    const name = file.path ?? `base64:${file.pathBase64}`;
    lines.push(
      `  ${file.finding.padEnd(11)} ${escapeForDisplay(name)}${file.detail ? `  (${escapeForDisplay(file.detail)})` : ""}`,
    );
  }
  if (notClean.length > SHOWN_MAX) lines.push(`  and ${notClean.length - SHOWN_MAX} more; --json lists them all`);
  return lines;
}
