/** Names that people give: two that look alike are one name, and nothing in one hides or turns the text around it. */
import { z } from "zod";
import { fail, ok, type Result } from "./result.ts";

// control, format (zero-width and bidi among them), line and paragraph separators, private, unassigned, and letters
// that draw nothing (the Hangul fillers)
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\p{Default_Ignorable_Code_Point}]/u;
const LATIN = /\p{Script=Latin}/u;
const TWINS = /[\p{Script=Cyrillic}\p{Script=Greek}]/u;

/** One spelling a name: NFKC, trimmed, spaces in a row are one. The error is a sentence for whoever typed it. */
export function readName(typed: string): Result<string> {
  const spelt = typed.normalize("NFKC");
  const unseen = UNSEEN.exec(spelt.replace(/[\t\n\r ]+/g, " "))?.[0];
  if (unseen !== undefined) {
    const code = unseen.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return fail(`This name holds the character U+${code}, which cannot be seen or changes how text runs. Take it out.`);
  }
  if (LATIN.test(spelt) && TWINS.test(spelt))
    return fail("This name mixes Latin letters with Cyrillic or Greek ones that look like them. Use one alphabet.");
  return ok(spelt.replace(/\s+/gu, " ").trim());
}

/** As typed → as spelt, of at most so many characters. */
export const Name = (charsMax: number) =>
  z
    .string()
    .max(charsMax * 4) // spaces that fall away
    .transform((typed, context) => {
      const read = readName(typed);
      if (read.ok) return read.value;
      context.addIssue({ code: "custom", message: read.error });
      return z.NEVER;
    })
    .pipe(z.string().min(1, "a name").max(charsMax, `a name of at most ${charsMax} characters`));
