/** Pictures, sounds and films as cameras, telephones and recorders make them, small. */
import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import type { Files } from "./images.ts";

const latin = (text: string): Buffer => Buffer.from(text, "latin1");
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);

/** Grey noise. */
export function png(width: number, height: number): Buffer {
  const chunk = (type: string, bytes: Buffer) => {
    const body = Buffer.concat([latin(type), bytes]);
    return Buffer.concat([u32(bytes.length), body, u32(crc32(body))]);
  };
  const rows = Buffer.concat(
    Array.from({ length: height }, () => Buffer.concat([Buffer.alloc(1), randomBytes(width)])),
  );
  const shape = Buffer.concat([u32(width), u32(height), Buffer.from([8, 0, 0, 0, 0])]);
  return Buffer.concat([
    latin("\x89PNG\r\n\x1a\n"),
    chunk("IHDR", shape),
    chunk("tEXt", latin("Software\0gimp")),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const segment = (mark: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0xff, mark]), u16(bytes.length + 2), bytes]);

/** Grey, eight by eight, with what stands before its tables. */
function jpeg(...before: Buffer[]): Buffer {
  const table = (kind: number, symbol: number) =>
    segment(0xc4, Buffer.from([kind, 1, ...Array.from({ length: 15 }, () => 0), symbol]));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    ...before,
    segment(0xdb, Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 16)])),
    segment(0xc0, Buffer.from([8, 0, 8, 0, 8, 1, 1, 0x11, 0])),
    table(0x00, 0),
    table(0x10, 0),
    segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
    Buffer.from([0x3f, 0xff, 0xd9]),
  ]);
}

/** Exif with a second directory, whose picture lies in it (Exif 2.32, 4.6). */
function exif(thumbnail: Buffer): Buffer {
  const entry = (tag: number, type: number, count: number, value: number) =>
    Buffer.concat([u16(tag), u16(type), u32(count), u32(value)]);
  const first = Buffer.concat([u16(1), entry(0x0112, 3, 1, 0x0001_0000), u32(26)]);
  const second = Buffer.concat([
    u16(3),
    entry(0x0103, 3, 1, 0x0006_0000),
    entry(0x0201, 4, 1, 68),
    entry(0x0202, 4, 1, thumbnail.length),
    u32(0),
  ]);
  return segment(0xe1, Buffer.concat([latin("Exif\0\0MM\0*\0\0\0\x08"), first, second, thumbnail]));
}

const box = (type: string, ...inside: Buffer[]): Buffer => {
  const bytes = Buffer.concat(inside);
  return Buffer.concat([u32(bytes.length + 8), latin(type), bytes]);
};

function film(brand: string): Buffer {
  return Buffer.concat([
    box("ftyp", latin(`${brand}\0\0\x02\0isomiso2mp41`)),
    box("free"),
    box("mdat", randomBytes(60_000)),
    box(
      "moov",
      box("mvhd", Buffer.alloc(100)),
      box("trak", box("tkhd", Buffer.alloc(84))),
      box("udta", box("meta", Buffer.alloc(20))),
    ),
  ]);
}

const chunked = (mark: string, ...inside: Buffer[]): Buffer => {
  const bytes = Buffer.concat(inside);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  return Buffer.concat([latin(mark), size, bytes]);
};

export function pictures(): Files {
  const jfif = segment(0xe0, latin("JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
  const small = jpeg(jfif);
  const multi = segment(0xe2, Buffer.concat([latin("MPF\0MM\0*\0\0\0\x08"), u16(0), u32(0)]));
  const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), randomBytes(413)]);
  const cover = Buffer.concat([latin("\0image/jpeg\0\x03\0"), small]);
  const sized = (length: number) => Buffer.from([0, 0, length >> 7, length & 127]);
  const tag = Buffer.concat([latin("APIC"), u32(cover.length), u16(0), cover]);
  const sound = Buffer.concat([
    latin("ID3\x03\0\0"),
    sized(tag.length),
    tag,
    ...Array.from({ length: 20 }, () => frame),
  ]);
  return {
    "DCIM/100CANON/IMG_0001.JPG": jpeg(exif(small)),
    // two pictures in one file, and a film behind a picture
    "DCIM/100CANON/IMG_0002.JPG": Buffer.concat([jpeg(exif(small), multi), jpeg(jfif)]),
    "DCIM/100CANON/PXL_0003.MP.jpg": Buffer.concat([jpeg(exif(small)), film("mp42")]),
    "DCIM/100CANON/IMG_0004.CR2": Buffer.concat([latin("II*\0\x10\0\0\0CR\x02\0"), randomBytes(30_000)]),
    "DCIM/IMG_0005.HEIC": Buffer.concat([
      box("ftyp", latin("heic\0\0\0\0mif1heic")),
      box("meta", Buffer.alloc(90)),
      box("mdat", randomBytes(9000)),
    ]),
    "pictures/a.png": png(300, 200),
    "pictures/a.gif": Buffer.concat([
      latin("GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0;"),
    ]),
    "pictures/a.bmp": Buffer.concat([
      latin("BM"),
      Buffer.from("46000000000000003600000028000000", "hex"),
      randomBytes(54),
    ]),
    "pictures/a.tif": Buffer.concat([latin("MM\0*\0\0\0\x08\0\0"), randomBytes(2000)]),
    "pictures/a.svg": '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>\n',
    "pictures/a.ico": Buffer.concat([latin("\0\0\x01\0\x01\0\x20\x20\0\0\x01\0\x20\0"), png(32, 32)]),
    "pictures/a.webp": chunked("RIFF", latin("WEBP"), chunked("VP8L", randomBytes(800))),
    "pictures/a.psd": Buffer.concat([latin("8BPS\0\x01\0\0\0\0\0\0\0\x03"), randomBytes(4000)]),
    "films/a.mp4": film("isom"),
    "films/a.mov": film("qt  "),
    "films/a.avi": chunked("RIFF", latin("AVI "), chunked("LIST", latin("movi"), randomBytes(20_000))),
    "films/a.mkv": Buffer.concat([Buffer.from("1a45dfa3a342868101", "hex"), latin("matroska"), randomBytes(20_000)]),
    "sounds/a.mp3": sound,
    "sounds/a.wav": chunked(
      "RIFF",
      latin("WAVE"),
      chunked("fmt ", Buffer.alloc(16)),
      chunked("data", randomBytes(9000)),
    ),
    "sounds/a.flac": Buffer.concat([latin("fLaC\0\0\0\x22"), randomBytes(9000)]),
    "sounds/a.ogg": Buffer.concat([latin("OggS\0\x02"), randomBytes(9000)]),
    "sounds/a.m4a": film("M4A "),
  };
}
