/** Chunks → what clamd takes a file for, where it gives up on those beyond a size of their own and says OK. By its own
 *  rules (libclamav's filetypes.c, textdet.c and scanners.c): what they call text is wider than what people do. */

/** `text`: whose words it compares without their spacing. `page`: HTML. `program`: one with another one inside. */
export type Shape = "text" | "page" | "program";
/** Beyond `bytes` it leaves something out; `setting` is the limit's name in clamd.conf. */
export type ShapeLimits = Partial<Record<Shape, { bytes: number; setting: string }>>;

/** As many first bytes as it decides by. */
const HEAD_BYTES = 1024;
/** By these it knows what is no text, whatever follows; two-byte letters would be found in anything compressed. */
const KNOWN = [
  ...["1f8b", "425a68", "28b52ffd", "fd377a58", "377abcaf", "504b0304", "52617221", "60ea", "4d534346", "535a4444"],
  ...["d0cf11e0", "255044462d", "7b5c7274", "4d5a", "7f454c46", "cafebabe", "4c000000", "e4525c7b", "789f3e22"],
  ...["ffd8ff", "89504e47", "474946", "424d", "49492a00", "4d4d", "52494646", "52494658", "465753", "435753", "5a5753"],
  ...["494433", "fffb90", "4f676753", "2e524d46", "53514c69746520666f726d6174203300"],
].map((mark) => Buffer.from(mark, "hex"));
const GIF = Buffer.from("GIF");
const PROGRAM = Buffer.from("MZ");

const MARK = /<(?:html>|head>|iframe|img|object|script|table)|^<%@ language =/i;
const LINK = /<a /i;
const LINK_TO = /href/i;
/** Carried from chunk to chunk: no mark is longer. */
const MARK_CHARS = 8;

const PE = Buffer.from("PE\0\0");
/** From a program's first byte to that mark. */
const PE_AT_MAX = 304;

const begins = (head: Buffer, mark: Buffer): boolean => head.subarray(0, mark.length).equals(mark);
const inText = (byte: number): boolean =>
  byte >= 128 || (byte >= 32 && byte < 127) || (byte > 6 && byte < 14 && byte !== 11) || byte === 27;

const isText = (head: Buffer): boolean => head.every(inText) || isTwoByteText(head);

/** Letters of two bytes each, also without a mark in front: then the high byte comes first. */
function isTwoByteText(head: Buffer): boolean {
  if (head.length < 2) return false;
  const first = head.readUInt16BE(0);
  if (first === 0xfffe || first === 0xfeff) return true;
  for (let at = 2; at + 1 < head.length; at += 2) {
    const letter = head.readUInt16BE(at);
    if (letter === 0xfffe || (letter < 128 && !inText(letter))) return false;
  }
  return true;
}

/** Of `size` bytes that the scanner called clean: what it takes them for and left something out of. Read only where one of the
 *  limits is below them, which is seldom. */
export async function shapesOf(limits: ShapeLimits, size: number, chunks: AsyncIterable<Buffer>): Promise<Shape[]> {
  const least = Math.min(...Object.values(limits).map(({ bytes }) => bytes));
  if (size <= least) return [];
  let head: Buffer = Buffer.alloc(0);
  let text = false;
  let page = pages();
  let program: Programs | null = null;
  for await (const chunk of chunks) {
    let seen = chunk;
    if (head.length < HEAD_BYTES) {
      // what is decided by more first bytes than before looks at those from the beginning
      seen = Buffer.concat([head, chunk]);
      head = seen.subarray(0, HEAD_BYTES);
      const known = KNOWN.some((mark) => begins(head, mark));
      text = !known && isText(head);
      page = pages();
      // one that it takes for bytes is a page by its first ones all the same
      if (!known) page.add(head.toString("latin1").replaceAll("\0", ""));
      program = begins(head, PROGRAM) ? programs() : null;
    }
    if (text || begins(head, GIF)) page.add(seen.toString("latin1"));
    program?.add(seen);
    // what begins as none of these is none, however long it is
    if (head.length >= HEAD_BYTES && !text && !begins(head, GIF) && program === null) break;
  }
  const found: Shape[] = [];
  const beyond = (shape: Shape, bytes: number) => bytes > (limits[shape]?.bytes ?? Number.MAX_SAFE_INTEGER);
  if (page.found() && beyond("page", size)) found.push("page");
  if (text && beyond("text", size)) found.push("text");
  const inner = program?.first() ?? null;
  if (inner !== null && beyond("program", size - inner)) found.push("program");
  return found;
}

function pages() {
  let found = false;
  let link = false;
  let rest = "";
  return {
    found: () => found,
    add(chunk: string) {
      if (found) return;
      const text = rest + chunk;
      found = MARK.test(text);
      const from = link ? 0 : text.search(LINK);
      if (from >= 0) {
        link = true;
        found ||= LINK_TO.test(text.slice(from));
      }
      rest = text.slice(-MARK_CHARS);
    },
  };
}

type Programs = { add(chunk: Buffer): void; first(): number | null };

/** Where the first program begins that is not the file itself. */
function programs(): Programs {
  let first: number | null = null;
  let passed = 0;
  let rest = Buffer.alloc(0);
  const find = (bytes: Buffer, from: number) => {
    for (let at = bytes.indexOf(PE); at >= 0; at = bytes.indexOf(PE, at + 1))
      for (let begin = Math.max(0, at - PE_AT_MAX); begin <= at - 64; begin++)
        if (from + begin > 0 && begins(bytes.subarray(begin), PROGRAM)) return from + begin;
    return null;
  };
  return {
    first: () => first,
    add(chunk) {
      if (first === null) {
        const bytes = Buffer.concat([rest, chunk]);
        first = find(bytes, passed - rest.length);
        rest = Buffer.from(bytes.subarray(-PE_AT_MAX - PE.length));
      }
      passed += chunk.length;
    },
  };
}
