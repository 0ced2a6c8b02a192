import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyJson, DEEP, flip, flipped, json, spoiled, textOf, words } from "../../test/drawn.ts";
import { hash } from "../../test/keys.ts";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { commitment, contentBytes, readContent, SALT_BYTES } from "./content.ts";
import { BODIES, bodySchema, KNOWN_KINDS } from "./kinds.ts";

const salt = fc.uint8Array({ minLength: SALT_BYTES, maxLength: SALT_BYTES });
const name = fc.string({ unit: "binary", maxLength: 12 }).filter((key) => key !== "__proto__");
const content = fc.record({ text: words(200), body: fc.dictionary(name, json, { maxKeys: 6 }) });

describe("a content", () => {
  it("of any bytes is answered, never thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(toUtf8)), (bytes) => {
        const read = readContent(bytes);
        if (!read.ok) expect(read.error).toMatch(/content|Invalid|expected/);
      }),
    );
    fc.assert(
      fc.property(spoiled(content), (value) => {
        readContent(toUtf8(textOf(value)));
      }),
    );
  });

  it("that nests without end is refused with words", () => {
    expect(readContent(toUtf8(`{"text":"a","body":{"a":${DEEP}}}`))).toMatchObject({
      ok: false,
      error: expect.stringContaining("deeper"),
    });
  });

  it("reads back as it was written", () => {
    fc.assert(
      fc.property(content, (value) => {
        expect(readContent(contentBytes(value))).toEqual({ ok: true, value: JSON.parse(JSON.stringify(value)) });
      }),
    );
  });

  it("does not fit its commitment after one byte of it or of its salt changed", () => {
    fc.assert(
      fc.property(content, salt, flip, fc.boolean(), (value, salt, change, inSalt) => {
        const bytes = contentBytes(value);
        const changed = inSalt
          ? commitment(hash, flipped(salt, change), bytes)
          : commitment(hash, salt, flipped(bytes, change));
        expect(toHex(changed)).not.toBe(toHex(commitment(hash, salt, bytes)));
      }),
    );
  });
});

/** The names that a kind's body knows, so that what is drawn is nearly one. */
const members = (kind: (typeof KNOWN_KINDS)[number]) => {
  const schema = BODIES[kind];
  return "shape" in schema ? Object.keys(schema.shape) : ["any"];
};

describe("a body", () => {
  it.each(KNOWN_KINDS)("of %s that is anything is answered, never thrown", (kind) => {
    fc.assert(
      fc.property(fc.oneof(anyJson, fc.dictionary(fc.constantFrom(...members(kind)), anyJson)), (body) => {
        const read = readContent(toUtf8(textOf({ text: "", body })));
        if (!read.ok) return;
        const known = BODIES[kind].safeParse(read.value.body);
        if (known.success) expect(BODIES[kind].safeParse(known.data)).toEqual(known);
      }),
      { numRuns: 50 },
    );
  });

  it("of an unknown kind has no schema, whatever the kind's name", () => {
    for (const kind of ["toString", "__proto__", "constructor", "usb.", ""]) expect(bodySchema(kind)).toBeUndefined();
  });
});
