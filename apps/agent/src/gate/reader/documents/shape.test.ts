import { describe, expect, it } from "vitest";
import { shapesOf } from "./shape.ts";

const limits = {
  text: { bytes: 100, setting: "MaxScriptNormalize" },
  page: { bytes: 100, setting: "MaxHTMLNormalize" },
  program: { bytes: 100, setting: "MaxEmbeddedPE" },
};
const CHUNK = 2_000;
const COUNT = 50;

async function look(first: string, rest: string) {
  let read = 0;
  async function* chunks() {
    for (let at = 0; at < COUNT; at++) {
      read += 1;
      yield Buffer.from((at === 0 ? first : "").padEnd(CHUNK, rest), "latin1");
    }
  }
  const shapes = await shapesOf(limits, COUNT * CHUNK, chunks());
  return { shapes, read };
}

describe("what the scanner takes a large file for", () => {
  it.each<[string, string]>([
    ["a photo", "\xff\xd8\xff\xe0\0\x10JFIF"],
    ["a film", "\0\0\0\x18ftypmp42"],
    ["an archive", "PK\x03\x04\x14\0"],
  ])("is told by the first bytes of %s, and no more are read", async (_, first) => {
    expect(await look(first, "\x01\x80\0\x9c")).toEqual({ shapes: [], read: 1 });
  });

  it("is told by the whole of a text, a GIF and a program", async () => {
    expect(await look("just words\n", "more words\n")).toEqual({ shapes: ["text"], read: COUNT });
    expect(await look("GIF89a\0\0", "\0\0\0\0")).toEqual({ shapes: [], read: COUNT });
    expect(await look("MZ\x90\0", "\0\0\0\0")).toEqual({ shapes: [], read: COUNT });
  });

  it("is found out where the first bytes come a few at a time", async () => {
    async function* few() {
      for (let at = 0; at < 1_000; at++) yield Buffer.from("words");
      yield Buffer.from("<table>");
    }
    expect(await shapesOf(limits, 5_007, few())).toEqual(["page", "text"]);
  });
});
