import { describe, expect, it } from "vitest";
import { search } from "./embedded.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const SEVEN = "7z\xbc\xaf\x27\x1c";
const RAR = "Rar!\x1a\x07";
const INNO = "Inno Setup Setup Data (";

/** Where a search that sees these pieces finds something. */
const found = (...pieces: Buffer[]) => {
  const places = search();
  for (const piece of pieces) places.add(piece);
  return places.places();
};

describe("marks inside of a file", () => {
  it("are found once each, wherever the pieces end", () => {
    const whole = bytes(`MZ some program ${SEVEN} between ${RAR}${SEVEN} and ${INNO}6.2) end`);
    const expected = [
      whole.indexOf(bytes(SEVEN)),
      whole.indexOf(bytes(RAR)),
      whole.lastIndexOf(bytes(SEVEN)),
      whole.indexOf(INNO),
    ];
    for (let cut = 2; cut < whole.length; cut++)
      expect(found(whole.subarray(0, cut), whole.subarray(cut))).toEqual(expected);
    expect(
      found(...Array.from({ length: whole.length - 1 }, (_, at) => whole.subarray(at + (at && 1), at + 2))),
    ).toEqual(expected);
  });

  it("are not parts of them, and an installer's count in a program alone", () => {
    expect(found(bytes("\xbc\xaf\x27\x1c 8z\xbc\xaf\x27\x1c rar!\x1a\x07"))).toEqual([]);
    expect(found(bytes(`text about ${INNO}6.2)`))).toEqual([]);
  });
});
