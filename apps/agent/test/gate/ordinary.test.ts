/** A stick as people carry it: documents, pictures, mails, installers, archives, what systems leave behind. All of it is clean,
 *  for a gate that holds what is ordinary is one that is switched off. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Files, layOut } from "./images.ts";
import { documents } from "./ordinary-documents.ts";
import { pictures, png } from "./ordinary-pictures.ts";
import { traces } from "./ordinary-traces.ts";
import { missing } from "./packages.ts";
import { pdf } from "./pdf.ts";
import { type Scanning, scanning, sh, told } from "./scanning.ts";

const TOOLS =
  "clamd bwrap 7z zip qpdf makensis wixl genisoimage xorriso mkudffs mkfs.vfat mkfs.ext4 mcopy sfdisk qemu-img mksquashfs wimlib-imagex zstd xz cpio openssl gpg git ar";
const absent = missing(...TOOLS.split(" "));

/** Where makensis takes what it builds from: programs of Windows that are on each machine with it. */
const PROGRAM = "/usr/share/nsis/Stubs/zlib-x86-unicode";

describe.skipIf(absent !== null)("a stick as people carry it", () => {
  let on: Scanning;
  let work: string;
  beforeAll(async () => {
    on = await scanning();
    work = on.fresh("work");
    mkdirSync(work);
    writeFileSync(join(work, "program.exe"), readFileSync(PROGRAM));
    writeFileSync(join(work, "readme.txt"), "some lines of text\n".repeat(900));
    writeFileSync(join(work, "page.pdf"), pdf("Hello "));
    writeFileSync(join(work, "a.png"), png(120, 90));
    sh(work, "mkdir -p tree/sub && cp readme.txt program.exe tree && cp readme.txt a.png page.pdf tree/sub");
  });
  afterAll(() => on?.stop());

  /** A folder with what a shell line, run beside the files above, puts into OUT. */
  const made = (lines: string[], more: Files = {}): string => {
    const out = layOut(on.fresh("stick"), more);
    sh(work, lines.join("\n").replaceAll("OUT", out));
    return out;
  };
  /** Every file on it, and every member of every archive. */
  const expectClean = async (folder: string, least: number) => {
    const body = await on.look(folder);
    expect(body.manifest.filter((row) => row.finding !== "clean").map((row) => `${row.path}: ${row.detail}`)).toEqual(
      [],
    );
    expect([body.verdict, body.problems]).toEqual(["allow", undefined]);
    expect(body.manifest.length).toBeGreaterThanOrEqual(least);
    return body;
  };

  it("documents of offices and readers, with pictures and embedded objects in them", async () => {
    const body = await expectClean(layOut(on.fresh("stick"), documents(readFileSync(PROGRAM))), 60);
    // what is packed in them was looked at
    expect(told(body, "docs/minutes.docx!/word/embeddings/a.xlsx!/xl/workbook.xml")).toBe("clean");
    expect(told(body, "packed/extension.crx!/manifest.json")).toBe("clean");
  });

  it("pictures, films and sounds, with previews and films in them", async () => {
    await expectClean(layOut(on.fresh("stick"), pictures()), 22);
  });

  it("what systems and programs leave behind, mails, and plain files", async () => {
    const attached = {
      "page.pdf": pdf("attached "),
      "minutes.docx": documents(png(9, 9))["docs/minutes.docx"] as Buffer,
    };
    await expectClean(layOut(on.fresh("stick"), traces(attached)), 34);
  });

  it("PDF: linearised, with attachments, a form, packed objects, and one that only forbids printing", async () => {
    const form = pdf("form ").toString("latin1");
    const fields = form.replace("/Pages 2 0 R>>", "/Pages 2 0 R/AcroForm<</Fields[]/NeedAppearances true>>>>");
    await expectClean(
      made(
        [
          "qpdf --linearize page.pdf OUT/linear.pdf",
          "qpdf page.pdf --add-attachment readme.txt -- OUT/attached.pdf",
          "qpdf page.pdf --add-attachment tree/sub/page.pdf -- --add-attachment program.exe -- OUT/attached-two.pdf",
          "qpdf --object-streams=generate --compress-streams=y page.pdf OUT/packed.pdf",
          'qpdf --encrypt "" owner 256 --print=none -- page.pdf OUT/no-print.pdf',
          // saved twice: a second table behind the first end
          "(cat page.pdf; printf '6 0 obj\\n<<>>\\nendobj\\nxref\\n6 1\\n0000000000 00000 n \\ntrailer\\n<</Size 7/Root 1 0 R/Prev 0>>\\nstartxref\\n9\\n%%%%EOF\\n') > OUT/saved-twice.pdf",
        ],
        { "form.pdf": Buffer.from(fields, "latin1") },
      ),
      7,
    );
  });

  it("programs and installers of Windows: NSIS by each of its packers, with pages and an uninstaller; MSI", async () => {
    const packers = ["zlib", "/SOLID zlib", "bzip2", "/SOLID bzip2", "lzma", "/SOLID lzma"];
    writeFileSync(join(work, "a.wxs"), WIX);
    const installers = packers.map((packer, at) => {
      writeFileSync(join(work, `${at}.nsi`), nsis(packer, `setup-${at}.exe`, at % 2 === 0));
      return `makensis -V1 ${at}.nsi && mv setup-${at}.exe OUT`;
    });
    const body = await expectClean(made([...installers, "wixl -o OUT/a.msi a.wxs", "cp program.exe OUT"]), 30);
    for (const at of packers.keys())
      expect(
        body.manifest.some((row) => row.path!.startsWith(`setup-${at}.exe!/`) && row.path!.endsWith("readme.txt")),
      ).toBe(true);
  });

  it("archives of every usual kind and packer, in one another", async () => {
    const body = await expectClean(
      made([
        "zip -qr OUT/a.zip tree && zip -q -r - tree | cat > OUT/piped.zip && (cd OUT && zip -q nested.zip a.zip)",
        "echo a comment | zip -qz OUT/nested.zip",
        ...["Deflate64", "BZip2", "LZMA"].map((method) => `7z a -bso0 -tzip -mm=${method} OUT/${method}.zip tree`),
        "7z a -bso0 OUT/a.7z tree",
        "tar czf OUT/a.tar.gz tree && tar cjf OUT/a.tar.bz2 tree && tar cJf OUT/a.tar.xz tree",
        "tar c tree | zstd -q > OUT/a.tar.zst && tar --format=pax -cf OUT/pax.tar tree && tar -cf OUT/gnu.tar tree",
        "gzip -c readme.txt > OUT/readme.txt.gz && xz -c readme.txt > OUT/readme.txt.xz",
        "find tree | cpio -o -H newc > OUT/a.cpio && wimlib-imagex capture tree OUT/a.wim",
        "mksquashfs tree OUT/a.squashfs -quiet -no-progress",
        // as Linux' kernels take them: one behind the other
        "(cat OUT/a.cpio; gzip -c OUT/a.cpio) > OUT/initrd.img && (cat OUT/a.cpio; head -c 512 /dev/zero; zstd -q -c OUT/a.cpio) > OUT/initrd-zstd.img",
        "ar rcs OUT/liba.a readme.txt program.exe",
        "printf 'x = 1\\n' > __main__.py && zip -q app.zip __main__.py && (printf '#!/usr/bin/python3\\n'; cat app.zip) > OUT/app.pyz",
      ]),
      120,
    );
    for (const name of ["Deflate64.zip", "BZip2.zip", "LZMA.zip", "nested.zip!/a.zip", "a.tar.gz!/a.tar", "pax.tar"])
      expect([name, told(body, `${name}!/tree/sub/readme.txt`)]).toEqual([name, "clean"]);
    for (const name of ["initrd.img!/packed!/packed", "initrd-zstd.img!/packed!/packed"])
      expect([name, told(body, `${name}!/tree/readme.txt`)]).toEqual([name, "clean"]);
  });

  it("discs and disks as files: ISO 9660, UDF beside it and alone, one made for booting, FAT, ext, virtual disks", async () => {
    await expectClean(
      made([
        "genisoimage -quiet -J -R -o OUT/a.iso tree && genisoimage -quiet -udf -J -R -o OUT/udf.iso tree",
        "truncate -s 4M esp && mkfs.vfat esp && mcopy -i esp readme.txt :: && cp esp tree/efi.img",
        "xorriso -as mkisofs -quiet -J -R -e efi.img -no-emul-boot -append_partition 2 0xef esp -appended_part_as_gpt -isohybrid-gpt-basdat -o OUT/boot.iso tree",
        "rm tree/efi.img && truncate -s 8M OUT/empty-udf.img && mkudffs OUT/empty-udf.img",
        "truncate -s 12M fat && mkfs.vfat fat && mcopy -i fat readme.txt program.exe ::",
        "cp fat OUT/fat.img && truncate -s 8M OUT/ext.img && mkfs.ext4 -q -d tree OUT/ext.img",
        "truncate -s 16M OUT/disk.img && printf 'start=2048, type=c\\n' | sfdisk -q OUT/disk.img && dd if=fat of=OUT/disk.img bs=1M seek=1 conv=notrunc",
        ...["vpc", "vhdx", "qcow2", "vdi", "vmdk"].map((format) => `qemu-img convert -O ${format} fat OUT/a.${format}`),
      ]),
      40,
    );
  });

  it("keys, signatures and data: certificates, a keyring, signed files, a database, a repository", async () => {
    await expectClean(
      made([
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout k.pem -out c.pem",
        "openssl x509 -in c.pem -outform DER -out OUT/a.cer",
        "openssl pkcs12 -export -in c.pem -inkey k.pem -passout pass:a -out OUT/a.p12",
        "openssl smime -sign -binary -outform DER -nodetach -signer c.pem -inkey k.pem -in readme.txt -out OUT/signed.p7m",
        "export GNUPGHOME=$PWD/home && mkdir -m 700 home",
        "gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key a rsa2048 sign never",
        "gpg --batch --quiet --export > OUT/keys.gpg && gpg --batch --quiet --export -a > OUT/keys.asc",
        "gpg --batch --quiet -o OUT/a.sig --detach-sign readme.txt && gpg --batch --quiet -o OUT/a.asc --clear-sign readme.txt",
        "gpgconf --kill all; rm -rf home",
        "mkdir OUT/git && cd OUT/git && git init -q && cp ../../*/readme.txt . && git add . && git -c user.name=a -c user.email=a@b commit -qm a",
        "git archive --format=tar HEAD > ../git.tar && git archive --format=zip HEAD > ../git.zip && git bundle create -q ../a.bundle HEAD",
      ]),
      20,
    );
  });
});

const nsis = (packer: string, out: string, unicode: boolean): string => `SetCompressor ${packer}
Unicode ${unicode}
!include "MUI2.nsh"
!include "nsDialogs.nsh"
Name "Example"
OutFile "${out}"
InstallDir "$PROGRAMFILES\\Example"
!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "German"
Section "Main"
  SetOutPath "$INSTDIR"
  File readme.txt
  File /oname=copy.txt readme.txt
  SetOutPath "$INSTDIR\\bin"
  File program.exe
  System::Call 'kernel32::GetTickCount() i .r0'
  WriteRegStr HKLM "Software\\Example" "" $INSTDIR
  WriteUninstaller "$INSTDIR\\Uninstall.exe"
  CreateShortcut "$SMPROGRAMS\\Example.lnk" "$INSTDIR\\bin\\program.exe"
SectionEnd
Section "Uninstall"
  Delete "$INSTDIR\\Uninstall.exe"
SectionEnd
`;

const WIX = `<?xml version="1.0"?><Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
<Product Id="*" Name="Example" Manufacturer="Example" Language="1033" Version="1.2.3" UpgradeCode="12345678-1234-1234-1234-123456789012">
<Package InstallerVersion="200" Compressed="yes"/><Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
<Icon Id="I" SourceFile="program.exe"/><Binary Id="B" SourceFile="program.exe"/>
<Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder"><Directory Id="INSTALLDIR" Name="Example">
<Component Id="C" Guid="12345678-1234-1234-1234-123456789013"><File Id="F" Source="readme.txt"/><File Id="G" Source="program.exe"/>
</Component></Directory></Directory></Directory><Feature Id="X" Level="1"><ComponentRef Id="C"/></Feature></Product></Wix>`;
