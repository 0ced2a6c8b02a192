import { expect, test } from "vitest";
import { codeWords, quarantineOf, whatCame } from "./words.ts";

const ID = "3f2b8c1e-7a64-4d0e-9a55-0d9a4a1b2c3d";

test("what came is told by its topic alone; a topic that is none is a message", () => {
  const what = (word: string) => whatCame(`sallyport/1/3f/${ID}/${word}`);
  expect(["batch", "presence", "reported", "desired", "x"].map(what)).toEqual([
    ...["batch", "presence", "report", "message", "message"],
  ]);
  expect(whatCame(`sallyport/1/00/${ID}/batch`)).toBe("message");
});

test("a code from a newer worker is shown as it stands", () => {
  expect(codeWords("fork")).toBe("A trail contradicts what was committed");
  expect(codeWords("novel")).toBe("novel");
});

test("an alert leads to what it counts, and an alert of something else does not", () => {
  expect(quarantineOf(`refused/${ID}/trail/2026-11-24`)).toBe(`/quarantine?workstation=${ID}&code=trail`);
  expect(quarantineOf("refused/unknown/malformed/2026-11-24")).toBe("/quarantine?code=malformed");
  expect(quarantineOf("gap/w/2026-11-24")).toBeNull();
});
