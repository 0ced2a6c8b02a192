import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flip, flipped, index, sha256, shape, spoiled, textOf, time } from "../../test/drawn.ts";
import { hash } from "../../test/keys.ts";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { KNOWN_KINDS } from "../record/kinds.ts";
import { SEVERITIES } from "../record/severity.ts";
import { Entry, entryText, leafHash, readEntry } from "./entry.ts";

const entry = shape(
  {
    index,
    time,
    kind: fc.constantFrom(...KNOWN_KINDS, "person.new", "later.kind"),
    severity: fc.constantFrom(...SEVERITIES),
    guest: fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/),
    content: sha256,
  },
  ...(["index", "time", "kind", "severity", "content"] as const),
).map((drawn) => Entry.parse(drawn));

describe("an entry", () => {
  it("of any text is answered, and what is read is spelt in one way", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), spoiled(entry).map(textOf));
    fc.assert(
      fc.property(text, (untrusted) => {
        const read = readEntry(untrusted);
        if (read.ok) expect(entryText(read.value)).toBe(untrusted);
        else expect(read.error).not.toBe("");
      }),
    );
  });

  it("reads back as it was written", () => {
    fc.assert(
      fc.property(entry, (value) => {
        expect(readEntry(entryText(value))).toEqual({ ok: true, value });
      }),
    );
  });

  it("with one byte changed is another leaf", () => {
    fc.assert(
      fc.property(entry, flip, (value, change) => {
        const text = entryText(value);
        const changed = new TextDecoder().decode(flipped(toUtf8(text), change));
        expect(toHex(leafHash(hash, changed))).not.toBe(toHex(leafHash(hash, text)));
      }),
    );
  });
});
