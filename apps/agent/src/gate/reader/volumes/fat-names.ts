/** A FAT folder's bytes → its items, with long names where their checksum fits and 8.3 names else. */
import { wtf8 } from "../volume.ts";

export type FatItem = { name: Buffer; folder: boolean; cluster: number; size: number; problem?: string };

const FREE = new Set([0x00, 0xe5]);
const LONG = 0x0f;
const VOLUME = 0x08;
const FOLDER = 0x10;

/** By such a name a folder records itself and its parent. Linux opens one with a long name by that, and lists it as a dot. */
const DOTS = new Set([".          ", "..         "]);
const DOT_PROBLEM = "is recorded as the folder itself or its parent, and is another thing to some systems";

export function* folderItems(bytes: Buffer, bits: number): Generator<FatItem> {
  let long: { parts: Map<number, Buffer>; checksum: number } | null = null;
  for (let at = 0; at + 32 <= bytes.length; at += 32) {
    const record = bytes.subarray(at, at + 32);
    const first = record[0]!;
    const attributes = record[11]!;
    if (FREE.has(first)) {
      long = null;
      continue;
    }
    if ((attributes & 0x3f) === LONG) {
      if (long === null || first & 0x40 || long.checksum !== record[13])
        long = { parts: new Map(), checksum: record[13]! };
      const units = [record.subarray(1, 11), record.subarray(14, 26), record.subarray(28, 32)];
      long.parts.set(first & 0x1f, Buffer.concat(units));
      continue;
    }
    const written = long;
    long = null;
    if (attributes & VOLUME) continue;
    const folder = (attributes & FOLDER) !== 0;
    const isDot = DOTS.has(record.toString("latin1", 0, 11));
    if (isDot && folder && written === null) continue;
    const named = written?.checksum === checksum(record) ? longName(written.parts) : null;
    const high = bits === 32 ? record.readUInt16LE(20) * 0x1_0000 : 0;
    yield {
      name: named ?? shortName(record),
      folder,
      cluster: high + record.readUInt16LE(26),
      size: record.readUInt32LE(28),
      ...(isDot ? { problem: DOT_PROBLEM } : {}),
    };
  }
}

function longName(parts: Map<number, Buffer>): Buffer | null {
  const units: number[] = [];
  for (let order = 1; order <= parts.size; order++) {
    const part = parts.get(order);
    if (!part) return null;
    for (let at = 0; at < 26; at += 2) {
      const unit = part.readUInt16LE(at);
      if (unit === 0) return wtf8(units);
      units.push(unit);
    }
  }
  return units.length === 0 ? null : wtf8(units);
}

function checksum(record: Buffer): number {
  let sum = 0;
  for (let at = 0; at < 11; at++) sum = (((sum & 1) << 7) + (sum >> 1) + record[at]!) & 0xff;
  return sum;
}

/** 8.3 in code page 437, with the two bits by which Windows says "lower case". */
function shortName(record: Buffer): Buffer {
  const raw = Buffer.from(record.subarray(0, 11));
  if (raw[0] === 0x05) raw[0] = 0xe5;
  const decode = (bytes: Buffer, lower: boolean) => {
    const text = Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80]!)).join("");
    const trimmed = text.replace(/ +$/, "");
    return lower ? trimmed.toLowerCase() : trimmed;
  };
  const base = decode(raw.subarray(0, 8), (record[12]! & 0x08) !== 0);
  const extension = decode(raw.subarray(8, 11), (record[12]! & 0x10) !== 0);
  return Buffer.from(extension === "" ? base : `${base}.${extension}`, "utf8");
}

const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";
