/** Files of which clamd decides by a few bytes that they are another thing, and does not look into: the real one is asked
 *  again without those. */
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMistaken } from "../../src/gate/reader/mistaken.ts";
import { MARKER } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, sh } from "./scanning.ts";

const absent = missing("clamd", "bwrap", "zip");

const mail = (first: string, content: string) =>
  [
    `${first}\r\nFrom: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b`,
    "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n",
    `${Buffer.from(`${content} and more`).toString("base64")}\r\n--b--\r\n`,
  ].join("\r\n");
const page = (first: string, content: string) =>
  `<html><!-- ${first} --><body>${content.replaceAll("-", "&#45;")} and more</body></html>`;
const pdf = (first: string, content: string) => {
  const packed = deflateSync(content.repeat(3));
  return Buffer.concat([
    Buffer.from(`%PDF-1.4\n%${first}\n1 0 obj\n<</Length ${packed.length}/Filter/FlateDecode>>\nstream\n`),
    packed,
    Buffer.from("\nendstream\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n"),
  ]);
};
/** With the mark where clamd looks for it. */
const marked = (
  make: (first: string, content: string) => string | Buffer,
  before: string,
  at: number,
  mark: string,
  content: string,
) => {
  const from = Buffer.from(make(`${before}#`, "")).indexOf("#");
  return make(`${before}${"p".repeat(at - from)}${mark} `, content);
};

describe.skipIf(absent !== null)("what clamd takes for something else", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());

  const files = (content: string): Record<string, string | Buffer> => ({
    "tar.eml": marked(mail, "X-Note: ", 257, "ustar", content),
    "gpt.eml": marked(mail, "X-Note: ", 512, "EFI PART", content),
    "both.eml": marked((first, inside) => marked(mail, first, 512, "EFI PART", inside), "MZ: ", 241, "ustar", content),
    "tar.html": marked(page, "", 257, "ustar", content),
    "gpt.html": marked(page, "", 512, "EFI PART", content),
    "gpt.pdf": marked(pdf, "", 512, "EFI PART", content),
    ...Object.fromEntries(
      ["MZ", "BM", "GIF", "ID3", "OggS", "Rar!", "xar!", "begin ", "%PDF-"].map((word, index) => [
        `word-${index}.eml`,
        mail(`${word}: x`, content),
      ]),
    ),
    "picture.pdf": Buffer.concat([Buffer.from("GIF89a\x01\0\x01\0"), pdf("", content)]),
    "program.pdf": Buffer.concat([Buffer.from("MZ\x90\0"), Buffer.alloc(900), pdf("", content)]),
    "zeros.pdf": Buffer.concat([Buffer.alloc(1000), pdf("", content)]),
    "mail.pdf": Buffer.concat([Buffer.from("MZ: x\r\n"), pdf("", content)]),
    "pdf.eml": mail("MZ: %PDF-1.4", content),
    "word.html": `MZ${page("", content)}`,
  });

  it("is looked into all the same: mails, pages and PDFs by the marks of a tar, a disk, a program, a picture", async () => {
    const bad = files(MARKER);
    expect(findings(await on.look(layOut(on.fresh(), bad)))).toEqual(
      Object.fromEntries(Object.keys(bad).map((name) => [name, "infected"])),
    );
    const good = files("harmless");
    expect(findings(await on.look(layOut(on.fresh(), good)))).toEqual(
      Object.fromEntries(Object.keys(good).map((name) => [name, "clean"])),
    );
  });

  it("is looked into in an archive too, of which clamd has seen the member", async () => {
    const folder = layOut(on.fresh(), { "tar.eml": marked(mail, "X-Note: ", 257, "ustar", MARKER) });
    sh(folder, "zip -q a.zip tar.eml; rm tar.eml");
    expect(findings(await on.look(folder))).toEqual({ "a.zip": "infected", "a.zip!/tar.eml": "infected" });
  });

  it("is none of what people carry: a tar, a program, sounds and pictures are asked about once", () => {
    const tar = Buffer.alloc(2048);
    tar.write("hello.txt");
    tar.write("0000644", 100);
    tar.write("ustar", 257);
    const sum = 256 + tar.reduce((had, byte) => had + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const heads = [
      "MZ\x90\0\x03",
      "GIF89a\x10\0\x10\0",
      "ID3\x04\0\0",
      "OggS\0\x02",
      "BZh91AY&SY\x01",
      "%PDF-1.7\n%\xe2\xe3\n",
    ];
    for (const head of [tar, ...heads.map((text) => Buffer.from(text, "latin1")), Buffer.from("just: text\n")])
      expect([head.toString("latin1", 0, 16), isMistaken(head)]).toEqual([head.toString("latin1", 0, 16), false]);
  });
});
