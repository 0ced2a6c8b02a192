/** Bytes as somebody sends them → checked, summed, and kept piece by piece. What is wrong is a sentence for them. */
import { createHash, type Hash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import {
  ARTIFACT_BYTES_MAX,
  type ArtifactFacts,
  type ArtifactKind,
  DefinitionsName,
  formatOf,
} from "@sallyport/shared/artifact/artifact.ts";
import { CVD_HEADER_BYTES, countsLines, lineFault, readCvdHeader } from "@sallyport/shared/artifact/definitions.ts";
import { checkRules } from "@sallyport/shared/artifact/rules.ts";
import { Refusal } from "../trpc/errors.ts";
import { filesOf, isTar } from "./untar.ts";

export type Taking = {
  kind: ArtifactKind;
  name: string;
  chunks: AsyncIterable<Uint8Array>;
  pieceBytes: number;
  keep: (position: number, piece: Uint8Array) => Promise<void>;
};
export type Taken = { sha256: string; bytes: number; facts: ArtifactFacts };

const LINE_CHARS_MAX = 1024 * 1024;
const RULES_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.(?:rules|tar|tar\.gz|tgz)$/;

const refused = (why: string): Refusal => new Refusal("BAD_REQUEST", why);

/** What workstations hold every scan for while it lies there (apps/agent/src/dom0/clamd-database.ts). */
const MISLEADING: Partial<Record<ReturnType<typeof formatOf>, string>> = {
  cfg: "switches parts of clamd off",
  cud: "is an unsigned set, which may switch parts of clamd off",
};

/** @throws Refusal */
export function checkName(kind: ArtifactKind, name: string): void {
  if (kind === "suricata-rules" && !RULES_NAME.test(name))
    throw refused(
      `A rule set is a file that ends in .rules, or a .tar.gz of such files; ${JSON.stringify(name)} is neither.`,
    );
  if (kind === "clamav-definitions" && !DefinitionsName.safeParse(name).success)
    throw refused(
      `${JSON.stringify(name)} is no database's name as clamd knows it, such as daily.cvd, main.cvd or site.hdb; under another name clamd would pass it over.`,
    );
  const fault = kind === "clamav-definitions" ? MISLEADING[formatOf(name)] : undefined;
  if (fault)
    throw refused(
      `${JSON.stringify(name)} ${fault}: clamd may then call clean what it has not looked into, so workstations would hold every scan. Send the definitions themselves, such as site.ndb, or a signed set.`,
    );
}

/** @throws Refusal where it is not what its kind is */
export async function takeArtifact(taking: Taking): Promise<Taken> {
  checkName(taking.kind, taking.name);
  return taking.kind === "suricata-rules" ? takeRules(taking) : takeDefinitions(taking);
}

/** One text, whatever it came as: what a workstation fetches is what the detector reads. */
async function takeRules({ kind, chunks, pieceBytes, keep }: Taking): Promise<Taken> {
  const most = ARTIFACT_BYTES_MAX[kind];
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > most) throw tooLarge(most);
    parts.push(chunk);
  }
  let whole: Uint8Array = Buffer.concat(parts);
  if (whole[0] === 0x1f && whole[1] === 0x8b)
    whole = await promisify(gunzip)(whole, { maxOutputLength: most }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ERR_BUFFER_TOO_LARGE"
        ? tooLarge(most)
        : refused(`It cannot be unpacked: ${error.message}.`);
    });
  const { text: written, files } = rulesText(whole);
  // of files put together, each may have begun with one
  const text = written.replaceAll(/^\uFEFF/gm, "");
  const checked = checkRules(text);
  if (!checked.ok) throw refused(`This is no rule set. ${checked.error}`);
  const kept = new Cutter(pieceBytes, keep);
  await kept.add(Buffer.from(text));
  return { ...(await kept.end()), facts: { ...checked.value, ...(files !== undefined && { files }) } };
}

function rulesText(whole: Uint8Array): { text: string; files?: number } {
  const decode = (bytes: Uint8Array, name: string) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw refused(`This is no rule set: ${name} is no UTF-8 text.`);
    }
  };
  if (!isTar(whole)) return { text: decode(whole, "it") };
  const files = filesOf(whole, ".rules");
  if (!files.ok) throw refused(files.error);
  if (files.value.length === 0) throw refused("The archive holds no file that ends in .rules.");
  const texts = files.value.map(
    ({ name, bytes }) => `# ${JSON.stringify(name)}\n${decode(bytes, JSON.stringify(name))}\n`,
  );
  return { text: texts.join(""), files: files.value.length };
}

async function takeDefinitions({ kind, name, chunks, pieceBytes, keep }: Taking): Promise<Taken> {
  const most = ARTIFACT_BYTES_MAX[kind];
  const format = formatOf(name);
  const signed = format === "cvd" || format === "cld" || format === "cud";
  const look = signed ? new SignedLook(format) : new LinesLook(format);
  const kept = new Cutter(pieceBytes, keep);
  for await (const chunk of chunks) {
    if (kept.bytes + chunk.length > most) throw tooLarge(most);
    look.add(chunk);
    await kept.add(chunk);
  }
  const facts = look.end();
  return { ...(await kept.end()), facts };
}

const tooLarge = (most: number): Refusal => refused(`It is too large: at most ${most / 1024 ** 2} MiB are taken.`);

/** A header, and behind it what its md5 is of (a .cld is one unpacked, which no longer fits it). */
class SignedLook {
  readonly #format: string;
  readonly #md5: Hash = createHash("md5");
  #head = Buffer.alloc(0);

  constructor(format: string) {
    this.#format = format;
  }

  add(chunk: Uint8Array): void {
    const missing = CVD_HEADER_BYTES - this.#head.length;
    if (missing > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)]);
    if (chunk.length > missing) this.#md5.update(chunk.subarray(Math.max(0, missing)));
  }

  end(): ArtifactFacts {
    const read = readCvdHeader(this.#head);
    if (!read.ok) throw refused(`This is no database. ${read.error}`);
    const { md5, ...facts } = read.value;
    if (this.#format === "cvd" && this.#md5.digest("hex") !== md5)
      throw refused("The database is damaged or cut off: its contents have not the sum that its header names.");
    return facts;
  }
}

class LinesLook {
  readonly #format: ReturnType<typeof formatOf>;
  #rest: string[] = [];
  #restChars = 0;
  #line = 0;
  #signatures = 0;

  constructor(format: ReturnType<typeof formatOf>) {
    this.#format = format;
  }

  add(chunk: Uint8Array): void {
    const [first = "", ...lines] = Buffer.from(chunk).toString("latin1").split("\n");
    this.#rest.push(first);
    this.#restChars += first.length;
    for (const line of lines) {
      this.#look(this.#rest.join("").replace(/\r$/, ""));
      this.#rest = [line];
      this.#restChars = line.length;
    }
    if (this.#restChars > LINE_CHARS_MAX) throw refused(`Line ${this.#line + 1} has no end.`);
  }

  #look(line: string): void {
    this.#line += 1;
    const fault = lineFault(this.#format, line);
    if (fault) throw refused(`Line ${this.#line} ${fault}: ${JSON.stringify(line.slice(0, 80))}`);
    if (line.trim() !== "" && !line.startsWith("#")) this.#signatures += 1;
  }

  end(): ArtifactFacts {
    if (this.#restChars > 0) this.#look(this.#rest.join(""));
    if (this.#signatures === 0) throw refused("It holds no definition.");
    return countsLines(this.#format) ? { signatures: this.#signatures } : {};
  }
}

/** Chunks of any size → pieces of one, with the sum of all. */
class Cutter {
  readonly #size: number;
  readonly #keep: Taking["keep"];
  readonly #sha256 = createHash("sha256");
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #position = 0;
  bytes = 0;

  constructor(size: number, keep: Taking["keep"]) {
    this.#size = size;
    this.#keep = keep;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#sha256.update(chunk);
    this.bytes += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#size - this.#waitingBytes);
      at += part.length;
      this.#waiting.push(part);
      this.#waitingBytes += part.length;
      if (this.#waitingBytes === this.#size) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const piece = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#keep(this.#position++, piece);
  }

  async end(): Promise<{ sha256: string; bytes: number }> {
    if (this.#waitingBytes > 0) await this.#flush();
    return { sha256: this.#sha256.digest("hex"), bytes: this.bytes };
  }
}
