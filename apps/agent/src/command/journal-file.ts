/** The journal on disk: a file and its copy, through dom0's door. A damaged file has a whole one beside it; where both
 *  are damaged nothing is made up: what was ordered stays known by its order number and is not carried out again. */
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import type { KeptText } from "../dom0/kept-text.ts";
import { EMPTY_JOURNAL, Journal } from "./journal.ts";

/** 128 ended ones, and the largest answer that waits for room on the trail. */
export const JOURNAL_BYTES_MAX = 8 * 1024 * 1024;

export type JournalFile = { read(): Promise<Result<Journal>>; write(journal: Journal): void };

export const journalFile = (kept: KeptText, copy: KeptText): JournalFile => ({
  async read() {
    const texts = [await kept.read(), await copy.read()];
    if (texts.every((text) => text === undefined)) return ok(EMPTY_JOURNAL);
    for (const text of texts) {
      const journal = text === undefined ? undefined : decode(text);
      if (journal) return ok(journal);
    }
    return fail("neither the journal of commands nor its copy can be read");
  },
  write(journal) {
    const text = `${JSON.stringify(journal)}\n`;
    copy.write(text);
    kept.write(text);
  },
});

export function decode(untrusted: string): Journal | undefined {
  try {
    const read = Journal.safeParse(JSON.parse(untrusted));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}
