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

  it("is found out where the first chunk is one byte", async () => {
    async function* parts(...texts: string[]) {
      for (const text of texts) yield Buffer.from(text, "latin1");
    }
    const inner = `MZ${"\0".repeat(100)}PE\0\0${"A".repeat(5_000)}`;
    const outer = `MZ${"\0".repeat(3_000)}${inner}`;
    const size = outer.length;
    expect(await shapesOf(limits, size, parts(outer))).toEqual(["program"]);
    expect(await shapesOf(limits, size, parts("M", outer.slice(1)))).toEqual(["program"]);
    const page = `${"a".repeat(1_018)}<table>${"b".repeat(500)}`;
    expect(await shapesOf(limits, page.length, parts(page.slice(0, 1_020), page.slice(1_020)))).toEqual([
      "page",
      "text",
    ]);
    const gif = `GIF89a<script>${"\0".repeat(3_000)}`;
    expect(await shapesOf(limits, gif.length, parts(gif.slice(0, 9), gif.slice(9)))).toEqual(["page"]);
  });
});
