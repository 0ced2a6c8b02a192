import fc from "fast-check";
import { expect, test } from "vitest";
import { readName } from "./name.ts";

test.each([
  ["  Finance \t  floor 3 ", "Finance floor 3"],
  ["Ｌａｂ①", "Lab1"],
  ["e\u0301tage", "étage"],
  ["Лаборатория 2", "Лаборатория 2"],
  ["Εργαστήριο", "Εργαστήριο"],
  ["研究室", "研究室"],
  ["O'Brien, Zoë", "O'Brien, Zoë"],
])("%j is spelt %j", (typed, name) => expect(readName(typed)).toEqual({ ok: true, value: name }));

test.each([
  "00",
  "07",
  "1B",
  "7F",
  "85",
  "AD",
  "200B",
  "200C",
  "200D",
  "200E",
  "200F",
  "2028",
  "202A",
  "202E",
  "2060",
  "2066",
  "2069",
  "FEFF",
  "3164",
  "115F",
  "E0041",
  "FE0F",
])("a name with U+%s in it is refused by that character's number", (hex) => {
  const read = readName(`lab${String.fromCodePoint(Number.parseInt(hex, 16))}oratory`);
  expect(read).toMatchObject({ ok: false, error: expect.stringMatching(/holds the character U\+[0-9A-F]{4,}, which/) });
});

test("a name that mixes Latin letters with their Cyrillic or Greek twins is refused", () => {
  for (const name of ["p\u0430yroll", "\u0391dmins"])
    expect(readName(name)).toMatchObject({ ok: false, error: expect.stringMatching(/one alphabet/) });
});

test("whatever is typed, reading a name again changes nothing, and nothing unseen is in it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (typed) => {
      const read = readName(typed);
      if (!read.ok) return;
      expect(readName(read.value)).toEqual(read);
      expect(read.value).not.toMatch(/[\p{C}]|\s\s|^\s|\s$/u);
    }),
  );
});
