/** First bytes → media type. A name's ending is a claim and plays no part. */
import { isUtf8 } from "node:buffer";
import { fileTypeFromBuffer } from "file-type";

/** As many first bytes as are looked at. */
export const HEAD_BYTES = 16 * 1024;

export async function typeOf(head: Buffer): Promise<string> {
  if (head.length === 0) return "application/x-empty";
  const bytes = head.subarray(0, HEAD_BYTES);
  try {
    const found = await fileTypeFromBuffer(bytes);
    if (found) return found.mime;
  } catch {
    // bytes that begin as a type and do not go on as one are no type
  }
  return isText(bytes) ? "text/plain" : "application/octet-stream";
}

/** UTF-8 without control characters; a character cut at the end is none's fault. */
function isText(bytes: Buffer): boolean {
  for (const byte of bytes) {
    if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27) || byte === 127) return false;
  }
  return [0, 1, 2, 3].some((cut) => cut < bytes.length && isUtf8(bytes.subarray(0, bytes.length - cut)));
}
