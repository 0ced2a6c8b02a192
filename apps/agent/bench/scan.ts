/** The gate's pass over mixed files, beside clamdscan on the same files with the same clamd, as a ratio.
 *  Three times: with definitions of two lines, where the scanner costs next to nothing; with as many as make a byte cost
 *  what it costs under a full set; and with these on files of which none is an archive, since what lies in archives is
 *  scanned by the gate once more, member by member.
 *  Run: node apps/agent/bench/scan.ts [--megabytes 128] [--rounds 3] [--set 1|2|3] [--bodies 150000] [--json] */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { DEFAULT_USB } from "@sallyport/shared/policy/usb.ts";
import { bundle } from "../../../packages/deb/src/bundle.ts";
import { startReader } from "../src/dom0/confine.ts";
import type { ReaderFiles } from "../src/dom0/own-files.ts";
import { lanesFor } from "../src/gate/lanes.ts";
import { scan } from "../src/gate/scan.ts";
import { startClamd } from "../test/gate/clamd-server.ts";
import { cpuSeconds, descendants } from "./processor.ts";

/** As many files to the megabyte as on a stick that was measured: 5,696 in 2 GB. */
const FILE_BYTES_MEAN = 360_000;

type Definitions = { hashes: number; bodies: number };
type Set = Definitions & { packed: boolean };
/** So many make a scan cost what the issue takes for granted: md5sum and sha256sum before it are a fifth on top. */
const MANY: Definitions = { hashes: 200_000, bodies: 150_000 };
const SETS: readonly Set[] = [
  { hashes: 0, bodies: 0, packed: true },
  { ...MANY, packed: true },
  { ...MANY, packed: false },
];

/** `cpuSeconds` is clamd's and the contestant's processor time together: on a machine that others use it says more than
 *  the clock does. */
export type ScanBench = {
  name: string;
  seconds: number;
  cpuSeconds: number;
  /** Of these, clamd's. */
  scannerSeconds: number;
  megabytesPerSecond: number;
  ratio: number;
  cpuRatio: number;
};

/** Bytes that are always the same ones, so that runs can be compared. */
function noise(seed: number, bytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let have = 0, round = 0; have < bytes; have += 64, round++)
    parts.push(createHash("sha512").update(`${seed}/${round}`).digest());
  return Buffer.concat(parts).subarray(0, bytes);
}

function words(seed: number, bytes: number): Buffer {
  const block = noise(seed, 4_096).toString("hex").replace(/[0-9]/g, " ").replace(/ +/g, " ");
  return Buffer.from(block.repeat(Math.ceil(bytes / block.length)).slice(0, bytes));
}

/** Half documents of text, a third of noise (pictures, films), the rest packed, or documents too. */
function mixed(folder: string, megabytes: number, packed: boolean): { files: number; bytes: number } {
  const noisy = noise(0, 8_000_000);
  let bytes = 0;
  let files = 0;
  while (bytes < megabytes * 1e6) {
    const size = Math.floor(FILE_BYTES_MEAN * 0.05 * 20 ** ((files % 97) / 48));
    const kind = files % 6;
    const from = (files * 7_919) % (noisy.length - 1);
    const raw = () => Buffer.concat([Buffer.from(`file ${files}\n`), noisy.subarray(from), noisy]).subarray(0, size);
    const content =
      kind < 3
        ? words(files, size)
        : kind < 5
          ? raw()
          : !packed
            ? words(files, size)
            : gzipSync(words(files, size), { level: 1 });
    if (files % 100 === 0) mkdirSync(join(folder, `d${files / 100}`));
    writeFileSync(join(folder, `d${Math.floor(files / 100)}`, `file${files}`), content);
    bytes += content.length;
    files += 1;
  }
  return { files, bytes };
}

/** Signatures like those of a full set, none of which fits: hashes of files, and bodies that stand anywhere in any file. */
function definitions(hashes: number, bodies: number): Record<string, string> {
  const line = (seed: string, at: number, bytes: number) =>
    createHash("sha512")
      .update(`${seed}/${at}`)
      .digest("hex")
      .slice(0, bytes * 2);
  const lines = (count: number, of: (at: number) => string) =>
    `${Array.from({ length: count }, (_, at) => of(at)).join("\n")}\n`;
  return {
    ...(hashes > 0 && {
      "many.hdb": lines(hashes, (at) => `${line("md5", at, 16)}:${1_000 + (at % 5_000_000)}:Bench.Hash-${at}`),
    }),
    ...(bodies > 0 && { "many.ndb": lines(bodies, (at) => `Bench.Body-${at}:0:*:${line("body", at, 32)}`) }),
  };
}

/** The reader as the package has it; one that Node strips of its types first takes a third of a second more to start. */
async function packaged(folder: string): Promise<ReaderFiles> {
  await bundle(folder, "bench");
  const manifest = join(folder, "package.json");
  writeFileSync(manifest, JSON.stringify({ type: "module" }));
  return { folder: join(folder, "reader"), main: "main.js", modules: null, manifest };
}

/** What the ratio hangs on: our own cost is by the byte, so a dearer scanner hides more of it. */
function costs(rows: ScanBench[], bytes: number): string {
  const [alone, inTurn] = [rows[0]!, rows.at(-1)!];
  const each = (seconds: number) => `${((seconds * 1e9) / bytes).toFixed(1)} ms`;
  return `a megabyte costs clamdscan ${each(alone.seconds)} by the clock and ${each(alone.cpuSeconds)} of processor; md5sum and sha256sum before it ${each(inTurn.seconds - alone.seconds)}`;
}

export async function benchScan(
  megabytes: number,
  rounds: number,
  { hashes, bodies, packed }: Set,
): Promise<{ files: number; bytes: number; rows: ScanBench[] }> {
  const work = mkdtempSync(join(tmpdir(), "sallyport-bench-scan-"));
  const cores = availableParallelism();
  // memory, as docs/scanner.md advises: each file is written there while it is scanned
  const memory = existsSync("/dev/shm") ? mkdtempSync("/dev/shm/sallyport-bench-") : work;
  const clamd = await startClamd(
    { MaxThreads: String(cores), TemporaryDirectory: memory },
    definitions(hashes, bodies),
  );
  try {
    const folder = join(work, "files");
    mkdirSync(folder);
    const { files, bytes } = mixed(folder, megabytes, packed);
    const image = join(work, "stick.img");
    writeFileSync(image, "");
    truncateSync(image, Math.ceil((bytes * 1.15) / 1e6 + 64) * 1e6);
    execFileSync("/usr/sbin/mkfs.ext4", ["-q", "-F", "-O", "^has_journal", "-d", folder, image]);
    const sha256 = execFileSync("sha256sum", [image], { encoding: "utf8" }).slice(0, 64);

    const reader = await packaged(join(work, "agent"));

    const clamdSeconds = () => cpuSeconds(clamd.process.pid!);
    const clamdscan = () =>
      execFileSync("clamdscan", [
        "--config-file",
        clamd.conf,
        "--multiscan",
        "--fdpass",
        "--no-summary",
        "--quiet",
        folder,
      ]);
    const each = (program: string) =>
      execFileSync("sh", ["-c", `find ${folder} -type f -print0 | xargs -0 ${program} > /dev/null`]);
    let readers = 0;
    const gate = async (target: string, known: boolean) => {
      const watched = descendants(process.pid, clamd.process.pid!);
      const body = await scan(target, {
        policy: DEFAULT_USB,
        clamd,
        start: (order) => startReader({ ...order, files: reader }),
        now: () => new Date(),
        lanes: lanesFor(cores),
        ...(known ? { imageSha256: sha256 } : {}),
      });
      if (body.verdict !== "allow" || body.confined !== "bubblewrap")
        throw new Error(`the bench is void: ${body.reason}`);
      readers += watched.stop();
    };
    const contests: [string, () => unknown][] = [
      ["clamdscan --multiscan --fdpass alone", clamdscan],
      ["the gate, an image whose hash the copy made", () => gate(image, true)],
      ["the gate, an image, and its hash", () => gate(image, false)],
      ["the gate, a folder", () => gate(folder, false)],
      ["md5sum, sha256sum, clamdscan, one after another", () => [each("md5sum"), each("sha256sum"), clamdscan()]],
    ];
    // in turn, best of a few: a shared machine's other work falls on all of them; another one first each time, since the
    // very same clamdscan takes a twentieth less at one place of a round than at another
    const best = contests.map(() => Number.POSITIVE_INFINITY);
    const cpu = contests.map(() => Number.POSITIVE_INFINITY);
    const scanner = contests.map(() => 0);
    const spent = () => cpuSeconds("self") + clamdSeconds() + readers;
    for (let round = 0; round < rounds; round++) {
      for (const place of contests.keys()) {
        const index = (place + round) % contests.length;
        const [, run] = contests[index]!;
        const started = performance.now();
        const before = spent();
        const scannerBefore = clamdSeconds();
        await run();
        best[index] = Math.min(best[index]!, (performance.now() - started) / 1000);
        const took = spent() - before;
        if (took < cpu[index]!) [cpu[index], scanner[index]] = [took, clamdSeconds() - scannerBefore];
      }
    }
    const rows = contests.map(([name], index) => ({
      name,
      seconds: best[index]!,
      cpuSeconds: cpu[index]!,
      scannerSeconds: scanner[index]!,
      megabytesPerSecond: bytes / 1e6 / best[index]!,
      ratio: best[index]! / best[0]!,
      cpuRatio: cpu[index]! / cpu[0]!,
    }));
    return { files, bytes, rows };
  } finally {
    await clamd.stop();
    for (const folder of [work, memory]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Debian's packages by the program that is needed of each. */
const NEEDED: Record<string, string> = {
  "/usr/sbin/clamd": "clamav-daemon",
  "/usr/bin/clamdscan": "clamdscan",
  "/usr/bin/bwrap": "bubblewrap",
  "/usr/sbin/mkfs.ext4": "e2fsprogs",
};

if (import.meta.main) {
  const absent = Object.keys(NEEDED).filter((program) => !existsSync(program));
  if (absent.length > 0) {
    const packages = absent.map((program) => NEEDED[program]).join(" ");
    console.error(`This bench needs what is not installed: apt-get install ${packages}`);
    process.exit(1);
  }
  const { values } = parseArgs({
    options: {
      megabytes: { type: "string", default: "128" },
      rounds: { type: "string", default: "3" },
      set: { type: "string" },
      bodies: { type: "string", default: String(MANY.bodies) },
      json: { type: "boolean", default: false },
    },
  });
  console.log(`${availableParallelism()} cores (${cpus()[0]?.model.trim()}), best of ${values.rounds}`);
  const results = [];
  const bodies = Number(values.bodies);
  for (const set of values.set === undefined ? SETS : SETS.slice(Number(values.set) - 1, Number(values.set))) {
    const definitions = set.bodies === 0 ? set : { ...set, bodies };
    const result = await benchScan(Number(values.megabytes), Number(values.rounds), definitions);
    const count = definitions.hashes + definitions.bodies;
    const what = `${count === 0 ? "definitions of two lines" : `${count} definitions`}, ${set.packed ? "a sixth of the files packed" : "none packed"}`;
    results.push({ name: what, ...result });
    console.log(`\n${what}: ${result.files} files, ${Math.round(result.bytes / 1e6)} MB`);
    console.log(`${"".padEnd(50)}   clock  ratio  processor: all ratio   clamd    own`);
    for (const row of result.rows) {
      const clock = `${row.seconds.toFixed(1).padStart(7)} s${row.ratio.toFixed(2).padStart(6)}`;
      const all = `${row.cpuSeconds.toFixed(1).padStart(12)} s${row.cpuRatio.toFixed(2).padStart(6)}`;
      const own = row.cpuSeconds - row.scannerSeconds;
      console.log(
        `${row.name.padEnd(50)}${clock}${all}${row.scannerSeconds.toFixed(1).padStart(7)} s${own.toFixed(1).padStart(6)} s`,
      );
    }
    console.log(costs(result.rows, result.bytes));
  }
  if (values.json) console.log(JSON.stringify({ bench: "scan", sets: results }));
}
