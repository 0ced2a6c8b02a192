/** What clamd takes for something else than others do, and so does not look into: it decides by a few bytes, of which some lie
 *  further in and are looked for first (libclamav's own table of types). Asked again without them, it looks. */
import type { Stream } from "./archives/member.ts";
import { isTar } from "./archives/tar.ts";
import type { Answer } from "./clamd.ts";
import { type Ask, chunksOf, type Seen } from "./content.ts";
import { looksHtml } from "./documents/html.ts";
import type { Source } from "./source.ts";

/** Of a document of Hangul, a model of TensorFlow, a tar, a disk with a GPT. */
const FURTHER_IN: readonly { at: number; bytes: Buffer }[] = [
  { at: 4, bytes: Buffer.from("d0cf11e0a1b11ae1", "hex") },
  { at: 4, bytes: Buffer.from("TFL3") },
  { at: 257, bytes: Buffer.from("ustar") },
  { at: 512, bytes: Buffer.from("EFI PART") },
];
const marksIn = (head: Buffer) =>
  FURTHER_IN.filter(({ at, bytes }) => head.subarray(at, at + bytes.length).equals(bytes));

/** Whether an archive is none to clamd, whatever it begins as. */
export const isTakenForOther = (head: Buffer): boolean => marksIn(head).length > 0;

/** With these a mail or a page may begin as well: a field's name is any word, and browsers pass over what they do not know. */
const FIRST =
  /^(?:#@~\^|%!PS-Adobe-|%PDF-|\.RMF|07070[127]|BM|BZh|[CFZ]WS|EGGA|GIF|ID3|ITSF|MM|MZ|OggS|RIF[FX]|Rar!|SIP-HIT|SZDD|\[aliases\]|begin |xar!|..-(?:lh[0-7dx]|lz[s45]|pm0)-)/;
const FIELD = /^[\x20-\x39\x3b-\x7e]{1,200}:/;
const start = (head: Buffer): string => head.toString("latin1", 0, 256);
const beginsAsOther = (head: Buffer): boolean =>
  FIRST.test(start(head)) && (FIELD.test(start(head)) || looksHtml(head));
const LINE_ENDS = Buffer.alloc(16, "\n");

/** Of a tar with an ordinary name in front there is nothing but its members. */
const isPlainTar = (head: Buffer): boolean => isTar(head) && /^[^\0-\x1f:<%{]{1,100}\0/.test(start(head));

/** Readers of PDF take what begins within so many bytes for one, whatever stands before it; clamd, hardly anything. */
const PDF_WITHIN = 1024;
const PDF = "%PDF-";
const pdfAt = (head: Buffer): number => head.subarray(0, PDF_WITHIN + PDF.length).indexOf(PDF);

/** As what else the same bytes begin, without the marks that mislead. */
function others(head: Buffer): Buffer[] {
  const found: Buffer[] = [];
  const begins = beginsAsOther(head);
  if (begins || (isTakenForOther(head) && !isPlainTar(head)))
    found.push(Buffer.concat(begins ? [LINE_ENDS, head] : [head]));
  if (pdfAt(head) > 0) found.push(Buffer.from(head.subarray(pdfAt(head))));
  // another case, or another byte
  for (const first of found) for (const { at } of marksIn(first)) first[at]! ^= 0x20;
  return found;
}

export const isMistaken = (head: Buffer): boolean => others(head).length > 0;

/** Clean where it is as each of these. */
export async function askUnmistaken(content: Source | Stream, { head, size }: Seen, ask: Ask): Promise<Answer> {
  let answer: Answer = { answer: "clean" };
  for (const first of others(head)) {
    if (answer.answer === "clean") answer = await askAs(first, content, { head, size }, ask);
  }
  return answer;
}

async function askAs(
  first: Buffer,
  content: Source | Stream,
  seen: Pick<Seen, "head" | "size">,
  ask: Ask,
): Promise<Answer> {
  const known = seen.head.length;
  const question = ask.begin(seen.size + first.length - known);
  try {
    await question.write(first);
    let passed = 0;
    for await (const chunk of chunksOf(content)) {
      const rest = chunk.subarray(Math.max(0, known - passed));
      if (rest.length > 0) await question.write(rest);
      passed += chunk.length;
    }
    return await question.finish();
  } catch (error) {
    question.abandon();
    throw error;
  }
}
