/** Whether an exported trail is whole: every entry, the tree, the tiles, the contents, the signature, and that nothing
 *  an older checkpoint covers has changed or vanished. Needs no console and believes nothing it did not compute. */
import { equal, fromBase64, fromUtf8, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { AgentGap, TrailOpened } from "@sallyport/shared/record/agent.ts";
import { commitment, readContent, SALT_BYTES } from "@sallyport/shared/record/content.ts";
import { type Checkpoint, openCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { type Entry, leafHash, readEntry } from "@sallyport/shared/trail/entry.ts";
import { readBundle, Tiler, tileBytes, tilePath, tilesOf } from "@sallyport/shared/trail/layout.ts";
import { readVkey } from "@sallyport/shared/trail/note.ts";
import { appendAll, type Edge, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { hash, verify } from "./crypto.ts";
import type { Export } from "./pack.ts";
import { countInBoth } from "./ranges.ts";

export type Report = {
  whole: boolean;
  origin: string | null;
  size: number | null;
  root: string | null;
  /** `given`: the verifier key came from the person; `first-sight`: from the export itself. */
  key: "given" | "first-sight" | null;
  olderSize: number | null;
  /** `destroyed`: sealed recovery keys before a record that a volume was wiped, which whoever holds them must destroy. */
  contents: { present: number; absent: number; namedInGaps: number; destroyed: number };
  /** The trail that this one goes on from, as its first record says: only that one's own export shows that it is whole. */
  previous: { trail: string; size: number; root: string; reason: string } | null;
  first: string | null;
  last: string | null;
  faults: string[];
};

/** More faults than this say nothing new. */
const FAULTS_MAX = 20;

export async function verifyExport(pack: Export, given: { vkey?: string; older?: string }): Promise<Report> {
  const check = new Check(pack);
  await check.run(given);
  return check.report;
}

class Check {
  readonly report: Report = {
    ...{ whole: false, origin: null, size: null, root: null, key: null, olderSize: null },
    ...{
      contents: { present: 0, absent: 0, namedInGaps: 0, destroyed: 0 },
      previous: null,
      first: null,
      last: null,
      faults: [],
    },
  };
  readonly #pack: Export;
  readonly #tiler = new Tiler(hash);
  readonly #missing: [number, number][] = [];
  readonly #gaps: [number, number][] = [];
  /** Sealed recovery keys that are not here, since the last volume was wiped. */
  #recoveries = 0;
  #edge: Edge = EMPTY_EDGE;

  constructor(pack: Export) {
    this.#pack = pack;
  }

  #fault(text: string): void {
    if (this.report.faults.length < FAULTS_MAX) this.report.faults.push(text);
  }

  async run(given: { vkey?: string; older?: string }): Promise<void> {
    const checkpoint = await this.#checkpoint(given.vkey);
    if (!checkpoint) return;
    const older = given.older === undefined ? undefined : this.#older(checkpoint, given.older);
    for (const { index, width } of tilesOf(0, checkpoint.size)) {
      if (this.report.faults.length >= FAULTS_MAX) break;
      await this.#bundle(index, width, older);
    }
    for (const tile of this.#tiler.rest()) await this.#tile(tile);
    this.#compareRoot(checkpoint, "the signed checkpoint");
    const { contents, faults } = this.report;
    contents.namedInGaps = countInBoth(this.#missing, this.#gaps);
    this.report.whole = faults.length === 0;
  }

  async #text(name: string): Promise<string | undefined> {
    const bytes = await this.#pack.read(name);
    try {
      return bytes && fromUtf8(bytes);
    } catch {
      return undefined;
    }
  }

  async #checkpoint(givenKey: string | undefined): Promise<(Checkpoint & { publicKey: Uint8Array }) | undefined> {
    const keyText = givenKey ?? (await this.#text("vkey"));
    const note = await this.#text("checkpoint");
    if (keyText === undefined || note === undefined) {
      this.#fault(`The export has no ${keyText === undefined ? "verifier key (vkey)" : "checkpoint"}.`);
      return undefined;
    }
    const key = readVkey(hash, keyText);
    if (!key.ok) {
      this.#fault(`The verifier key cannot be read: ${key.error}.`);
      return undefined;
    }
    const { name, publicKey } = key.value;
    const checkpoint = openCheckpoint(hash, verify, name, publicKey, note);
    if (!checkpoint.ok) {
      this.#fault(
        `The checkpoint is not signed by ${givenKey ? "the key you gave" : "the export's own key"}: ${checkpoint.error}.`,
      );
      return undefined;
    }
    const { origin, size, root } = checkpoint.value;
    Object.assign(this.report, { origin, size, root: toHex(root), key: givenKey ? "given" : "first-sight" });
    return { ...checkpoint.value, publicKey };
  }

  #older(newest: Checkpoint & { publicKey: Uint8Array }, note: string): Checkpoint | undefined {
    const older = openCheckpoint(hash, verify, newest.origin, newest.publicKey, note);
    if (!older.ok) {
      this.#fault(`The older checkpoint is not one of this trail: ${older.error}.`);
      return undefined;
    }
    this.report.olderSize = older.value.size;
    if (older.value.size > newest.size)
      this.#fault(
        `The tail is missing: the older checkpoint covers ${older.value.size} records, this export ends at ${newest.size}.`,
      );
    if (older.value.size === 0) this.#compareRoot(older.value, "the older checkpoint");
    return older.value;
  }

  async #bundle(index: number, width: number, older: Checkpoint | undefined): Promise<void> {
    const from = index * 256;
    const name = tilePath("entries", index, width);
    const bytes = await this.#pack.read(name);
    const entries = bytes && readBundle(bytes);
    if (entries?.length !== width) {
      this.#fault(bytes ? `${name} does not hold ${width} entries.` : `${name} is missing.`);
      return;
    }
    const contents = await this.#contents(index, width);
    for (const [at, text] of entries.entries()) {
      const entry = readEntry(text);
      if (!entry.ok) this.#fault(`Entry ${from + at} cannot be read: ${entry.error}.`);
      else if (entry.value.index !== from + at)
        this.#fault(`Entry ${from + at} says it is entry ${entry.value.index}.`);
      else this.#content(entry.value, contents.get(from + at));
      const leaf = leafHash(hash, text);
      this.#edge = appendAll(hash, this.#edge, [leaf]);
      for (const tile of this.#tiler.add(leaf)) await this.#tile(tile);
      if (older?.size === this.#edge.size) this.#compareRoot(older, "the older checkpoint");
    }
  }

  async #tile({ level, index, hashes }: { level: number; index: number; hashes: Uint8Array[] }): Promise<void> {
    const name = tilePath(level, index, hashes.length);
    const bytes = await this.#pack.read(name);
    if (!bytes) this.#fault(`${name} is missing.`);
    else if (!equal(bytes, tileBytes(hashes))) this.#fault(`${name} does not hold the hashes of the entries.`);
  }

  async #contents(index: number, width: number): Promise<Map<number, { salt: Uint8Array; content: Uint8Array }>> {
    const name = tilePath("contents", index, width);
    const text = await this.#text(name);
    const all = new Map<number, { salt: Uint8Array; content: Uint8Array }>();
    if (text === undefined) {
      this.#fault(`${name} is missing or no text.`);
      return all;
    }
    const lines = text.split("\n");
    if (lines.pop() !== "") this.#fault(`${name} is torn: its last line has no end.`);
    let next = index * 256;
    for (const line of lines) {
      const [at, salt, content, ...rest] = line.split("\t");
      try {
        const bytes = fromBase64(salt ?? "");
        const number = Number(at);
        if (!Number.isSafeInteger(number) || String(number) !== at || number < next || number >= index * 256 + width)
          throw new RangeError("index");
        if (content === undefined || rest.length > 0 || bytes.length !== SALT_BYTES) throw new RangeError("fields");
        all.set(number, { salt: bytes, content: toUtf8(content) });
        next = number + 1;
      } catch {
        this.#fault(`A line of ${name} is not an index of it, salt and content.`);
      }
    }
    return all;
  }

  #content(entry: Entry, held: { salt: Uint8Array; content: Uint8Array } | undefined): void {
    const { report } = this;
    report.first ??= entry.time;
    report.last = entry.time;
    if (!held) {
      report.contents.absent++;
      if (entry.kind === "disk.recovery") this.#recoveries++;
      const last = this.#missing.at(-1);
      if (last?.[1] === entry.index) last[1]++;
      else this.#missing.push([entry.index, entry.index + 1]);
      return;
    }
    report.contents.present++;
    if (toHex(commitment(hash, held.salt, held.content)) !== entry.content) {
      this.#fault(`The content of record ${entry.index} is not the one its entry commits to.`);
      return;
    }
    if (entry.index === 0 && entry.kind === "trail.opened") report.previous = previousOf(held.content);
    if (entry.kind === "disk.wiped") {
      report.contents.destroyed += this.#recoveries;
      this.#recoveries = 0;
    }
    if (entry.kind !== "agent.gap") return;
    const content = readContent(held.content);
    const gap = content.ok ? AgentGap.safeParse(content.value.body) : undefined;
    if (gap?.success && gap.data.from < gap.data.to) this.#gaps.push([gap.data.from, gap.data.to]);
  }

  #compareRoot(checkpoint: Checkpoint, which: string): void {
    if (this.#edge.size !== checkpoint.size) {
      if (this.report.faults.length === 0)
        this.#fault(`${this.#edge.size} entries were read; ${which} covers ${checkpoint.size}.`);
    } else if (!equal(root(hash, this.#edge), checkpoint.root))
      this.#fault(`The ${checkpoint.size} entries do not hash to the root of ${which}: something in them was changed.`);
  }
}

function previousOf(bytes: Uint8Array): Report["previous"] {
  const content = readContent(bytes);
  const opened = content.ok ? TrailOpened.safeParse(content.value.body) : undefined;
  return (opened?.success && opened.data.previous) || null;
}

/** The report as sentences. */
export function sentences(report: Report): string[] {
  const { contents } = report;
  if (!report.whole) return ["NOT WHOLE", ...report.faults.map((fault) => `- ${fault}`), ...firstSight(report)];
  const lines = [
    `Whole: ${report.size} records of ${report.origin}${report.first ? `, from ${report.first} to ${report.last}` : ""}.`,
    `Root ${report.root}, signed by ${report.key === "given" ? "the key you gave" : "the export's own key"}.`,
    `Contents: ${contents.present} match what their entries commit to${named(contents)}.`,
  ];
  const missing = unaccounted(report);
  if (missing > 0)
    lines.push(
      `NOT ACCOUNTED FOR: the contents of ${missing} records are not in this export, and no gap record says why. Their entries stand; what they said cannot be checked here. Whoever exported may not have been allowed to see them; else ask who removed them. --require-contents makes this a failure.`,
    );
  if (report.olderSize !== null)
    lines.push(`The older checkpoint's ${report.olderSize} records are all here and unchanged.`);
  if (report.previous)
    lines.push(
      `It goes on from trail ${report.previous.trail} at ${report.previous.size} records (${report.previous.reason}), root ${report.previous.root}: export and verify that one as well.`,
    );
  return [...lines, ...firstSight(report)];
}

/** Contents that are not here, that the workstation did not itself say it had given up, and that went with no volume. What
 *  is both was given up and is counted as that. */
export const unaccounted = ({ contents: { absent, namedInGaps, destroyed } }: Report): number =>
  Math.max(0, absent - namedInGaps - destroyed);

const named = ({ namedInGaps, destroyed }: Report["contents"]): string =>
  [
    namedInGaps > 0 && `; ${namedInGaps} were given up by the workstation, as its gap records say`,
    destroyed > 0 && `; ${destroyed} were sealed recovery keys, destroyed with a volume that was wiped`,
  ]
    .filter(Boolean)
    .join("");

const firstSight = ({ key }: Report): string[] =>
  key === "first-sight"
    ? [
        'The key was trusted on first sight: it came from the export itself. Give --vkey with the key that "sallyport-agent status" prints on the workstation.',
      ]
    : [];
