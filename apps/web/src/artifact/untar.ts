/** The rule files of somebody's tar archive (POSIX ustar, pax and GNU names). A name that leads out of it, a link or a
 *  device refuses the whole: nobody who means well packs one. Pure. */
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";

const BLOCK = 512;
const FILES_MAX = 10_000;
const NAME_CHARS_MAX = 1_024;

export type TarFile = { name: string; bytes: Uint8Array };

export const isTar = (bytes: Uint8Array): boolean =>
  bytes.length >= BLOCK && Buffer.from(bytes.subarray(257, 262)).toString("latin1") === "ustar";

/** Plain files whose name ends with `suffix`, in the order of their names; other plain files are passed over. */
export function filesOf(untrusted: Uint8Array, suffix: string): Result<TarFile[]> {
  const tar = Buffer.from(untrusted.buffer, untrusted.byteOffset, untrusted.byteLength);
  const files: TarFile[] = [];
  let longName: string | undefined;
  let ended = false;
  for (let at = 0, count = 0; at + BLOCK <= tar.length; count++) {
    const head = tar.subarray(at, at + BLOCK);
    if (head.every((byte) => byte === 0)) {
      ended = true;
      break;
    }
    if (count >= FILES_MAX) return fail(`The archive holds more than ${FILES_MAX} files.`);
    const size = octal(head, 124, 12);
    if (text(head, 257, 5) !== "ustar" || octal(head, 148, 8) !== sumOf(head) || size === undefined)
      return fail("The archive is damaged: a header of it cannot be read.");
    const from = at + BLOCK;
    if (from + size > tar.length) return fail("The archive is cut off in the middle of a file.");
    const content = tar.subarray(from, from + size);
    at = from + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(head[156]!);
    if (type === "x" || type === "g" || type === "L") {
      if (type === "L") longName = text(content, 0, content.length);
      else if (type === "x") longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(content.toString("utf8"))?.[1] ?? longName;
      continue;
    }
    const prefix = text(head, 345, 155);
    const short = text(head, 0, 100);
    // GNU's own format keeps times where ustar has the prefix
    const name = longName ?? (prefix && head[263] === 0x30 ? `${prefix}/${short}` : short);
    longName = undefined;
    const shown = JSON.stringify(name.slice(0, 120));
    if (name.length > NAME_CHARS_MAX || name.startsWith("/") || name.split("/").includes(".."))
      return fail(`The archive holds ${shown}, a name that leads out of it. Nothing of it was taken.`);
    if (type === "5") continue;
    if (type !== "0" && type !== "\u0000")
      return fail(
        `The archive holds ${shown}, which is no plain file but a link or a device. Nothing of it was taken.`,
      );
    if (name.endsWith(suffix)) files.push({ name, bytes: content });
  }
  if (!ended) return fail("The archive is cut off: its end is missing.");
  return ok(files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)));
}

function text(bytes: Buffer, at: number, length: number): string {
  const part = bytes.subarray(at, at + length);
  const end = part.indexOf(0);
  return part.toString("utf8", 0, end < 0 ? part.length : end);
}

function octal(bytes: Buffer, at: number, length: number): number | undefined {
  const digits = /^ *([0-7]{1,12}) *$/.exec(text(bytes, at, length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** Over the header with spaces where the sum itself stands. */
const sumOf = (head: Buffer): number => head.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
