/** cpio as Linux takes it for its first root (initramfs buffer format, docs.kernel.org): archives with hexadecimal headers,
 *  one behind the other, with zeros between, and behind those one that is packed. */
import { bytesSource, Damaged, type Source, slice } from "../source.ts";
import { KINDS } from "../volume.ts";
import type { Member } from "./member.ts";

const HEADER_BYTES = 110;
const NAME_BYTES_MAX = 4096;
const TRAILER = "TRAILER!!!";
/** gzip, xz, Zstandard, bzip2, LZMA, LZ4, lzop. */
const PACKED = ["1f8b08", "fd377a585a00", "28b52ffd", "425a68", "5d0000", "02214c18", "04224d18", "894c5a4f"];
const WINDOW_BYTES = 64 * 1024;

/** Zeros before the first header are passed over by Linux, as those between two archives are. */
export function isCpio(head: Buffer): boolean {
  const from = head[0] === 0 ? notZero(bytesSource(head), 0) : 0;
  return /^07070[12]/.test(head.toString("latin1", from, from + 6));
}
const isHeader = (head: Buffer): boolean => /^07070[12][0-9a-f]{104}$/i.test(head.toString("latin1"));

/** @throws Damaged where something else begins, or it ends early */
export function* cpio(source: Source): Generator<Member> {
  for (let at = notZero(source, 0); at < source.size; ) {
    const head = source.read(at, Math.min(HEADER_BYTES, source.size - at));
    // some count the bytes that fill up to four from the header on, and others from the file's first byte
    if (at % 4 !== 0 && isCpio(head)) throw new Damaged(`is cpio with a header that cannot be, at byte ${at}`);
    if (!isHeader(head)) {
      const packed = PACKED.some((mark) => head.toString("hex").startsWith(mark));
      if (!packed || at === 0) throw new Damaged(`is cpio with something behind its end, at byte ${at}`);
      return yield {
        name: Buffer.from("packed"),
        kind: "file",
        size: source.size - at,
        content: slice(source, at, source.size - at),
      };
    }
    const field = (index: number) => Number.parseInt(head.toString("latin1", 6 + index * 8, 14 + index * 8), 16);
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX)
      throw new Damaged(`is cpio with a name that cannot be, at byte ${at}`);
    const name = source.read(at + HEADER_BYTES, nameBytes).subarray(0, -1);
    // with its end elsewhere, one program takes for the trailer what is a file to another
    if (source.read(at + HEADER_BYTES + nameBytes - 1, 1)[0] !== 0 || name.includes(0))
      throw new Damaged(`is cpio with a name that does not end where it should, at byte ${at}`);
    const from = aligned(at + HEADER_BYTES + nameBytes);
    const content = slice(source, from, size);
    if (name.toString("latin1") === TRAILER) {
      if (size > 0) throw new Damaged(`is cpio with content in its trailer, at byte ${at}`);
      at = notZero(source, Math.min(from, source.size));
    } else {
      yield memberOf(name, mode, content);
      at = aligned(from + size);
    }
  }
}

function memberOf(name: Buffer, mode: number, content: Source): Member {
  const kind = KINDS[mode >> 12];
  const { size } = content;
  if (kind === undefined)
    return { name, kind: "file", size, content: null, problem: "is of a kind that cpio does not know" };
  if (kind === "file") return { name, kind, size, content };
  if (kind === "link") {
    const target = content.read(0, Math.min(size, NAME_BYTES_MAX));
    if (size > NAME_BYTES_MAX || target.includes(0))
      return { name, kind, size, content: null, problem: "is a link to what is no path" };
    return { name, kind, size: 0, content: null, detail: `to ${target.toString("utf8")}` };
  }
  if (size > 0) return { name, kind: "file", size, content: null, problem: "is no file, and is said to have content" };
  return { name, kind, size: 0, content: null };
}

const aligned = (at: number): number => Math.ceil(at / 4) * 4;

function notZero(source: Source, from: number): number {
  for (let at = from; at < source.size; at += WINDOW_BYTES) {
    const bytes = source.read(at, Math.min(WINDOW_BYTES, source.size - at));
    const found = bytes.findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
  }
  return source.size;
}
