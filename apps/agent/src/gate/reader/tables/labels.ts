/** First bytes of a medium or partition → a partition table of another kind than MBR and GPT. Known by what Linux asks of each
 *  (block/partitions, all that Debian builds in) and BSD's systems of theirs; named, not read. */

/** As many first bytes as any of them needs. */
export const LABEL_BYTES = 16 * 1024;

type Label = { what: string; is(head: Buffer, sectors: number, type: string): boolean };

const BSD = 0x8256_4557;
const SANE = 0x600d_deee;
const ULTRIX_AT = 16_384 - 72;

const LABELS: readonly Label[] = [
  { what: "a Sun label", is: (head) => head.readUInt16BE(508) === 0xdabe && words(head, 256, 2, xor) === 0 },
  { what: "a BSD label", is: (head) => [512, 4096].some((at) => head.readUInt32LE(at) === BSD) },
  { what: "a BSD label of Alpha", is: (head) => [64, 64 + 132].every((at) => head.readUInt32LE(at) === BSD) },
  { what: "a DragonFly label", is: (head) => head.readUInt32LE(512) === 0xc446_4c59 },
  {
    what: "a Solaris label",
    is: (head) => head.readUInt32LE(512 + 12) === SANE && head.readUInt32LE(512 + 16) === 1,
  },
  {
    what: "a UnixWare label",
    is: (head) => head.readUInt32LE(29 * 512 + 4) === 0xca5e_600d && head.readUInt32LE(29 * 512 + 156) === SANE,
  },
  {
    what: "a Minix table of subpartitions",
    is: (head, _, type) => type === "0x81" && head.readUInt16LE(510) === 0xaa55 && head[446 + 4] === 0x81,
  },
  {
    what: "the type of a dynamic disk of Windows",
    is: (_, __, type) => DYNAMIC.has(type),
  },
  { what: "the table of a dynamic disk of Windows", is: (head) => head.toString("latin1", 3072, 3080) === "PRIVHEAD" },
  { what: "an SGI label", is: (head) => head.readUInt32BE(0) === 0x0be5_a941 },
  { what: "an Ultrix label", is: (head) => head.readUInt32LE(ULTRIX_AT) === 0x03_2957 && head[ULTRIX_AT + 4] === 1 },
  {
    what: "an Apple partition map",
    // the two bytes are enough to Linux, where the first sector says so
    is: (head) =>
      head.toString("latin1", 512, 516) === "PM\0\0" ||
      (head.toString("latin1", 0, 4) === "ER\x02\0" && head.toString("latin1", 512, 514) === "PM"),
  },
  { what: "an Amiga partition table", is: amiga },
  { what: "a partition table of Acorn's ICS", is: ics },
  { what: "a partition table of the Rio Karma", is: karma },
];

/** The type of an MBR's entry, and the two of a GPT's. */
const DYNAMIC = new Set(["0x42", "5808c8aa-7e8f-42e0-85d2-e1e3cec71eb3", "af9b60a0-1431-4f62-bc68-3311714a69ad"]);

/** In words that follow "has", or null. `sectors`: of 512 bytes, in the medium; `type` as its table has it. */
export function labelIn(head: Buffer, sectors: number, type = ""): string | null {
  const whole = head.length < LABEL_BYTES ? Buffer.concat([head, Buffer.alloc(LABEL_BYTES - head.length)]) : head;
  const found = LABELS.find(({ is }) => is(whole, sectors, type));
  const what = found?.what ?? (!takenAsMbr(whole) && atari(whole, sectors) ? "an Atari partition table" : null);
  return what === null ? null : `${what}, which the gate does not read`;
}

/** Whether a file's first bytes could be a disk's for its label. Atari's has no mark, and what Linux takes for one lies in
 *  programs too: here only the names that its own systems give count. */
export const labelHead = (head: Buffer): boolean =>
  head.length >= LABEL_BYTES &&
  (LABELS.some(({ is }) => is(head, 2 ** 32, "")) ||
    atariParts(head).some(({ active, id }) => active && NAMED.test(id)));

/** As Linux does: then it looks for none of those that come behind it. */
export function takenAsMbr(sector: Buffer): boolean {
  if (sector.readUInt16LE(510) !== 0xaa55) return false;
  const entries = [446, 462, 478, 494];
  const bad = entries.findIndex((at) => (sector[at]! & 0x7f) !== 0);
  if (bad === 0)
    return sector.readUInt16LE(14) !== 0 && sector[16] !== 0 && (sector[21]! >= 0xf8 || sector[21] === 0xf0);
  return bad < 0 && entries.every((at) => sector[at + 4] !== 0xee);
}

const xor = (sum: number, word: number): number => sum ^ word;
const add = (sum: number, word: number): number => (sum + word) % 0x1_0000_0000;

function words(bytes: Buffer, count: number, size: 1 | 2 | 4, fold: (sum: number, word: number) => number): number {
  let sum = 0;
  for (let at = 0; at < count * size; at += size) sum = fold(sum, bytes.readUIntBE(at, size));
  return sum;
}

/** In one of the first sixteen sectors; its sum is 0, also where Windows has written over four of its bytes. In the first
 *  one the mark is enough. */
function amiga(head: Buffer): boolean {
  return Array.from({ length: 16 }, (_, index) => head.subarray(index * 512, index * 512 + 512)).some(
    (block, index) => {
      if (block.toString("latin1", 0, 4) !== "RDSK") return false;
      const count = block.readUInt32BE(4) & 0x7f;
      const mended = Buffer.from(block).fill(0, 0xdc, 0xe0);
      return index === 0 || [block, mended].some((each) => words(each, count, 4, add) === 0);
    },
  );
}

function ics(head: Buffer): boolean {
  return head[511] === 0x50 && words(head, 508, 1, add) + 0x5061_7274 === head.readUInt32LE(508);
}

function karma(head: Buffer, sectors: number): boolean {
  if (head.readUInt16LE(510) !== 0xab56) return false;
  return [270, 286].some(
    (at) => head[at + 4] === 0x4d && head.readUInt32LE(at + 8) < sectors && head.readUInt32LE(at + 12) !== 0,
  );
}

const ATARI_AT = 454;
const ATARI_ICD_AT = 342;
const NAMED = /^(GEM|BGM|LNX|SWP|RAW|XGM)$/;
const ICD = /^(GEM|BGM|LNX|SWP|RAW)$/;
/** As Linux has it, with the letters of Latin-1. */
const ALNUM = /^[0-9A-Za-z\xc0-\xd6\xd8-\xf6\xf8-\xff]{3}$/;

type AtariPart = { active: boolean; id: string; from: number; count: number };

function atariParts(head: Buffer, at = ATARI_AT, count = 4): AtariPart[] {
  return Array.from({ length: count }, (_, index) => at + index * 12).map((from) => ({
    active: (head[from]! & 1) !== 0,
    id: head.toString("latin1", from + 1, from + 4),
    from: head.readUInt32BE(from + 4),
    count: head.readUInt32BE(from + 8),
  }));
}

/** Without a mark: where one entry is believable, Linux makes partitions of all that are in use. */
function atari(head: Buffer, sectors: number): boolean {
  const parts = atariParts(head);
  const believable = ({ active, id, from, count }: AtariPart) =>
    active && ALNUM.test(id) && from <= sectors && (from + count) % 0x1_0000_0000 <= sectors;
  if (!parts.some(believable)) return false;
  const icd = atariParts(head, ATARI_ICD_AT, 8);
  const more = ICD.test(icd[0]!.id) ? icd.filter(({ id }) => ICD.test(id)) : [];
  return [...parts, ...more].some(
    ({ active, id, from, count }) => active && (id === "XGM" || (count > 0 && from < sectors)),
  );
}
