/** Text from a guest, a stick or a wire, made safe to show: nothing in it moves a cursor or turns a line around. */

// C0, DEL, C1 (NEL among them), soft hyphen, zero-width and bidi controls, line and paragraph separators, BOM, tags
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Each unsafe character as a visible escape (`\n`, `\x1b`, `\u202e`); a backslash itself stays, so this is for
 *  eyes, not for reading back. */
export function escapeForDisplay(untrusted: string): string {
  return untrusted.replace(UNSAFE, (char) => {
    const short = SHORT[char];
    if (short) return short;
    const code = char.codePointAt(0)!;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
