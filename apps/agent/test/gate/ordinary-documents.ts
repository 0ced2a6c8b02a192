/** Office's and others' documents with their true inner structure: parts, relations, pictures, embedded objects; no macros. */
import { randomBytes } from "node:crypto";
import { compoundFile } from "./compound-writer.ts";
import type { Files } from "./images.ts";
import { png } from "./ordinary-pictures.ts";
import { type ZipMember, zipFile } from "./zip-writer.ts";

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const TYPES = "application/vnd.openxmlformats-officedocument";

const relations = (...targets: [type: string, target: string][]): string =>
  `${XML}<Relationships xmlns="${RELATIONS}">${targets
    .map(([type, target], at) => `<Relationship Id="rId${at + 1}" Type="${OFFICE}/${type}" Target="${target}"/>`)
    .join("")}</Relationships>`;

const contentTypes = (...parts: [part: string, type: string][]): string =>
  `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/><Default Extension="bin" ContentType="${TYPES}.oleObject"/>${parts
    .map(([part, type]) => `<Override PartName="${part}" ContentType="${TYPES}.${type}+xml"/>`)
    .join("")}</Types>`;

/** A packaged file as Word embeds one ([MS-OLEDS] 2.3.6). */
function packaged(name: string, content: Buffer): Buffer {
  const text = (value: string) => Buffer.from(`${value}\0`, "latin1");
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const path = text(`C:\\Users\\a\\${name}`);
  const inner = Buffer.concat([
    Buffer.from([2, 0]),
    text(name),
    path,
    Buffer.from([0, 0, 3, 0]),
    u32(path.length),
    path,
    u32(content.length),
    content,
  ]);
  return compoundFile({
    "\u0001CompObj": Buffer.concat([Buffer.from("0100feff030a0000ffffffff", "hex"), Buffer.alloc(60)]),
    "\u0001Ole10Native": Buffer.concat([u32(inner.length), inner]),
    "\u0003ObjInfo": Buffer.from([0, 0, 3, 0, 13, 0]),
  });
}

/** Word leaves room behind the first header, so that it can write it anew. */
const ROOM = Buffer.concat([Buffer.from([0x20, 0xa2, 0x04, 0x02, 0x28, 0xa0, 0x00, 0x02]), Buffer.alloc(512)]);
const part = (name: string, content: string | Buffer): ZipMember => ({ name, content });

const word = (embedded: Buffer): Buffer =>
  zipFile([
    {
      ...part("[Content_Types].xml", contentTypes(["/word/document.xml", "wordprocessingml.document.main"])),
      localExtra: ROOM,
    },
    part(
      "_rels/.rels",
      relations(["officeDocument", "word/document.xml"], ["extended-properties", "docProps/app.xml"]),
    ),
    part(
      "word/document.xml",
      `${XML}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="${OFFICE}" xmlns:o="urn:schemas-microsoft-com:office:office"><w:body><w:p><w:r><w:t>Minutes</w:t></w:r></w:p><w:p><w:r><w:object><o:OLEObject Type="Embed" ProgID="Package" r:id="rId2"/></w:object></w:r></w:p></w:body></w:document>`,
    ),
    part(
      "word/_rels/document.xml.rels",
      relations(
        ["image", "media/image1.png"],
        ["oleObject", "embeddings/oleObject1.bin"],
        ["package", "embeddings/a.xlsx"],
      ),
    ),
    part("word/media/image1.png", png(64, 64)),
    part("word/embeddings/oleObject1.bin", embedded),
    part("word/embeddings/a.xlsx", sheet()),
    part("docProps/app.xml", `${XML}<Properties><Application>Microsoft Office Word</Application></Properties>`),
  ]);

const sheet = (): Buffer =>
  zipFile([
    part(
      "[Content_Types].xml",
      contentTypes(
        ["/xl/workbook.xml", "spreadsheetml.sheet.main"],
        ["/xl/worksheets/sheet1.xml", "spreadsheetml.worksheet"],
      ),
    ),
    part("_rels/.rels", relations(["officeDocument", "xl/workbook.xml"])),
    part(
      "xl/workbook.xml",
      `${XML}<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="${OFFICE}"><workbookProtection lockStructure="1"/><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    ),
    part("xl/_rels/workbook.xml.rels", relations(["worksheet", "worksheets/sheet1.xml"])),
    part(
      "xl/worksheets/sheet1.xml",
      `${XML}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>${Array.from({ length: 500 }, (_, at) => `<row r="${at + 1}"><c r="A${at + 1}"><v>${at * 17}</v></c></row>`).join("")}</sheetData></worksheet>`,
    ),
  ]);

const slides = (): Buffer =>
  zipFile([
    part("[Content_Types].xml", contentTypes(["/ppt/presentation.xml", "presentationml.presentation.main"])),
    part("_rels/.rels", relations(["officeDocument", "ppt/presentation.xml"])),
    part(
      "ppt/presentation.xml",
      `${XML}<p:presentation xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"/>`,
    ),
    part("ppt/media/image1.png", png(200, 100)),
    {
      ...part("ppt/media/media1.wav", Buffer.concat([Buffer.from("RIFF\x24\0\0\0WAVEfmt "), Buffer.alloc(400)])),
      stored: true,
    },
  ]);

const open = (mime: string, members: ZipMember[]): Buffer =>
  zipFile([
    { name: "mimetype", content: mime, stored: true },
    ...members,
    part(
      "META-INF/manifest.xml",
      `${XML}<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type="${mime}"/>${members.map(({ name }) => `<manifest:file-entry manifest:full-path="${name}" manifest:media-type=""/>`).join("")}</manifest:manifest>`,
    ),
  ]);

const MESSAGE = {
  __nameid_version1_0: { __substg1_0_00020102: Buffer.alloc(64) },
  "__substg1.0_0037001F": Buffer.from("Minutes", "utf16le"),
  "__substg1.0_1000001F": Buffer.from("See attachment. ".repeat(300), "utf16le"),
  "__attach_version1.0_#00000000": {
    "__substg1.0_37010102": png(120, 120),
    "__substg1.0_3707001F": Buffer.from("picture.png", "utf16le"),
    "__properties_version1.0": Buffer.alloc(200),
  },
  "__properties_version1.0": Buffer.alloc(320),
};

/** Word's old kind: a header that says nothing of a password, its table, and what a person wrote. */
function oldWord(): Buffer {
  const text = Buffer.alloc(6000);
  text.writeUInt16LE(0xa5ec, 0);
  text.writeUInt16LE(0xc1, 2);
  text.write("Minutes", 1536, "utf16le");
  return compoundFile({
    WordDocument: text,
    "1Table": Buffer.alloc(5000, 1),
    Data: png(100, 100),
    "\u0005SummaryInformation": Buffer.alloc(300),
    ObjectPool: { _1: { "\u0001Ole10Native": Buffer.alloc(200, 7), "\u0003ObjInfo": Buffer.alloc(6) } },
  });
}

export function documents(program: Buffer): Files {
  const text = zipFile([part("a.txt", "a"), { ...part("b.txt", "b".repeat(9000)), streamed: true }]);
  const epub: ZipMember[] = [
    { name: "mimetype", content: "application/epub+zip", stored: true },
    part("META-INF/container.xml", `${XML}<container/>`),
    part("OEBPS/chapter1.xhtml", `${XML}<html xmlns="http://www.w3.org/1999/xhtml"><head/><body>One</body></html>`),
    part("OEBPS/cover.png", png(90, 120)),
  ];
  return {
    "docs/minutes.docx": word(packaged("notes.txt", Buffer.from("notes\n".repeat(900)))),
    "docs/with-a-zip.docx": word(packaged("a.zip", text)),
    "docs/budget.xlsx": sheet(),
    "docs/talk.pptx": slides(),
    "docs/letter.odt": open("application/vnd.oasis.opendocument.text", [
      part("content.xml", `${XML}<office:document-content/>`),
      part("Pictures/1.png", png(64, 64)),
      part("Object 1/content.xml", `${XML}<office:document-content/>`),
    ]),
    "docs/table.ods": open("application/vnd.oasis.opendocument.spreadsheet", [part("content.xml", XML)]),
    "docs/book.epub": zipFile(epub),
    "docs/old.doc": oldWord(),
    "docs/mail.msg": compoundFile(MESSAGE),
    "docs/note.rtf": `{\\rtf1\\ansi{\\object\\objemb{\\*\\objclass Package}{\\*\\objdata ${packaged("n.txt", Buffer.from("n")).toString("hex")}}}Hello\\par}`,
    "Thumbs.db": compoundFile({ Catalog: Buffer.alloc(120), 1: png(96, 96), 2: png(40, 96), "256_ab12": png(80, 80) }),
    "packed/streamed.zip": text,
    "packed/of-a-mac.zip": zipFile([
      { ...part("report.txt", "report"), streamed: true, centralExtra: Buffer.from("555808000000000000000000", "hex") },
      part("__MACOSX/._report.txt", Buffer.concat([Buffer.from("0005160700020000", "hex"), Buffer.alloc(112)])),
    ]),
    "packed/app.apk": zipFile(
      [
        { ...part("AndroidManifest.xml", randomBytes(400)), localExtra: Buffer.alloc(3) },
        { ...part("lib/x86/liba.so", program), stored: true, localExtra: Buffer.alloc(1021) },
        part("classes.dex", Buffer.concat([Buffer.from("dex\n035\0"), randomBytes(3000)])),
      ],
      { before: Buffer.concat([randomBytes(4064), Buffer.from("APK Sig Block 42")]) },
    ),
    "packed/extension.crx": Buffer.concat([
      Buffer.from("Cr24\x03\0\0\0\x20\0\0\0", "latin1"),
      randomBytes(32),
      zipFile([part("manifest.json", "{}")]),
    ]),
    "packed/commented.zip": zipFile([part("a.txt", "a")], { comment: "made on a Tuesday" }),
    "packed/folders.zip": zipFile([
      { ...part("folder/", ""), stored: true },
      part("folder/a.txt", "a"),
      part("empty.txt", ""),
    ]),
  };
}
