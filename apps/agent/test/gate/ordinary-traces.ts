/** What systems and programs leave on a stick beside what people put there, and the plain files of everyday work. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { compoundFile } from "./compound-writer.ts";
import type { Files } from "./images.ts";
import { png } from "./ordinary-pictures.ts";

const wide = (text: string): Buffer => Buffer.from(`\ufeff${text}`, "utf16le");
const lines = (bytes: Buffer): string => bytes.toString("base64").replace(/(.{76})/g, "$1\r\n");

/** A shortcut ([MS-SHLLINK]): its header, and where it points. */
function shortcut(): Buffer {
  const head = Buffer.alloc(76);
  Buffer.from("4c0000000114020000000000c00000000000004683000000", "hex").copy(head);
  return Buffer.concat([head, Buffer.from([20, 0, 0x1f, 0x50]), randomBytes(16), Buffer.alloc(2)]);
}

const mail = (attached: Record<string, Buffer>): string =>
  [
    "From: a@example.org",
    "To: b@example.org",
    "Subject: the minutes",
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="x"',
    "",
    "--x",
    "Content-Type: text/plain; charset=utf-8",
    "",
    "Here they are.",
    ...Object.entries(attached).flatMap(([name, bytes]) => [
      "--x",
      `Content-Type: application/octet-stream; name="${name}"`,
      "Content-Transfer-Encoding: base64",
      `Content-Disposition: attachment; filename="${name}"`,
      "",
      lines(bytes),
    ]),
    "--x--",
    "",
  ].join("\r\n");

export function traces(attached: Record<string, Buffer>): Files {
  const double = Buffer.concat([
    Buffer.from("00051607000200004d6163204f5320582020202020202020", "hex"),
    randomBytes(100),
  ]);
  const finder = Buffer.concat([Buffer.from("\0\0\0\x01Bud1\0\0\x10\0", "latin1"), Buffer.alloc(6000, 3)]);
  return {
    "desktop.ini": wide("[.ShellClassInfo]\r\nIconResource=a.ico,0\r\n"),
    "autorun.inf": "[autorun]\r\nlabel=STICK\r\nicon=a.ico\r\n",
    "System Volume Information/WPSettings.dat": Buffer.from("0c00000012345678aabbccdd", "hex"),
    "System Volume Information/IndexerVolumeGuid": wide("{01234567-89AB-CDEF-0123-456789ABCDEF}"),
    "$RECYCLE.BIN/S-1-5-21-1-2-3-1001/$IABCDEF.txt": Buffer.concat([
      Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]),
      randomBytes(60),
    ]),
    "$RECYCLE.BIN/S-1-5-21-1-2-3-1001/desktop.ini":
      "[.ShellClassInfo]\r\nCLSID={645FF040-5081-101B-9F08-00AA002F954E}\r\n",
    "FOUND.000/FILE0000.CHK": randomBytes(4096),
    "ehthumbs.db": compoundFile({ 0: png(30, 30) }),
    "~$minutes.docx": Buffer.concat([Buffer.from("\x05Anna "), Buffer.alloc(156)]),
    "shortcut.lnk": shortcut(),
    "site.url": "[InternetShortcut]\r\nURL=https://example.org/\r\n",
    ".DS_Store": finder,
    "._minutes.docx": double,
    ".Spotlight-V100/VolumeConfiguration.plist":
      '<?xml version="1.0"?><!DOCTYPE plist><plist version="1.0"><dict/></plist>',
    ".fseventsd/0000000001a2b3c4": gzipSync(Buffer.concat([Buffer.from("1SLD"), randomBytes(300)])),
    ".fseventsd/fseventsd-uuid": "01234567-89AB-CDEF-0123-456789ABCDEF",
    ".Trashes/501/a.txt": "thrown away\n",
    ".Trash-1000/info/a.txt.trashinfo": "[Trash Info]\nPath=a.txt\n",
    "lost+found.txt": "",
    "mails/minutes.eml": mail(attached),
    "mails/all.mbox": `From a@example.org Thu Jan  1 00:00:00 2026\n${mail(attached).replaceAll("\r", "")}\nFrom b@example.org Fri Jan  2 00:00:00 2026\nSubject: x\n\ny\n`,
    "mails/invitation.ics": "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "mails/a.vcf": `BEGIN:VCARD\r\nPHOTO;ENCODING=b:${png(20, 20).toString("base64")}\r\nEND:VCARD\r\n`,
    "data/table.csv": "a;b\r\n1;2\r\n",
    "data/a.json": JSON.stringify({ a: Array.from({ length: 900 }, (_, at) => at) }),
    "data/page.html": "<!DOCTYPE html><html><head><script>let a = 1;</script></head><body>Hello</body></html>\n",
    "data/data-uri.html": `<html><body><img src="data:image/png;base64,${png(40, 40).toString("base64")}"></body></html>`,
    "data/umlauts.txt": Buffer.from("Gr\xfc\xdfe", "latin1"),
    "data/zeros.bin": Buffer.alloc(3_000_000),
    "data/key.pem": `-----BEGIN CERTIFICATE-----\n${lines(randomBytes(700))}\n-----END CERTIFICATE-----\n`,
    "data/script.sh": "#!/bin/sh\nset -e\necho plain\n",
    "data/script.ps1": wide("Get-ChildItem | Sort-Object Length\r\n"),
    "data/run.bat": "@echo off\r\necho plain\r\n",
    "data/font.ttf": Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 12]), randomBytes(9000)]),
  };
}
