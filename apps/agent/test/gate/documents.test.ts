/** Documents with a password: the scanner, which cannot open them, says OK of each. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockedCompound } from "../../src/gate/reader/documents/compound.ts";
import { lockedPdf } from "../../src/gate/reader/documents/pdf.ts";
import { bytesSource } from "../../src/gate/reader/source.ts";
import { MARKER } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { pdf } from "./pdf.ts";
import { findings, type Scanning, scanning, sh, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap", "qpdf", "zip", "openssl", "gpg");

/** A zip of one member under the password 123456, as Office writes it (agile encryption, by officecrypto-tool 0.0.19). */
const OFFICE = [
  "H4sIAAAAAAACA+1VS2wbVRR9+ZYG2tKWQilVNBpoWURkbCce2yFOGjv+xI6d+JNxYtFKk5lne+zxjDMfO2OVHSz4tIKKTdUFH4kukJCgUhEtIJ",
  "AAKYIFbSS6QEIqEopEEYJSWIBownU8bpOIioRuCuQ8Hb959829992P31z4YuflV9/e9w1agwHUghaXtqL2FbImYHNjcW99XePi0tJSQ7y0iX8V",
  "rgMXTbZC/dqA7WZNN/n/YO0/3QJcWf8twLuAW4EdwLuB9wC3AbcDd9SvALQTuAu4G3gfcI/ZOw/AvHezj+54xpEMQ0ME8iEJZgUZaCO4H7U1Ne",
  "6SpnXq1HrtUHvjm5JAOdQDQ0MhZEcbxS7UvOy/2fz2rFev1ZxrUXPLUZfgBALkQkIjwAw8rQedpv+WDfiv5elg21/5x4hH44gFSQF+s7D+O5Cm",
  "/wbWVzOE3jWfHTbahm4DrTAOwdw/OFsUiTJWVEGW3KS120ISWOJkXpCybnIi6X/MSRKqxko8K8oSdpMGVsnBgY5+eEkxShpoEWBBUt1kTtNKfR",
  "SlcjlcZNXuosApsipntG5OLlJyJiNwmLJZLDR1U5Ws6/aVNqBdwIavbkBWqBKrqhVZ4RuGuH9qiMOKJsAeq2FyoIMg+mF3mNVYQmVFLSFUIXIr",
  "TRLToswVbi7hJY+gQew2O6xyrJqr79G9JMEJpRxWhsSsrAharugmh3yJhtSbYwVpOcONp4jMY6/HWzeyQikRHLJbbeTyMRhW1ME4a9GTcW+Oyc",
  "iszcX3TutKqpjKut0ktXxwHk49Imk4CxYMwsw15oNFlgtjw03m6V6HtThjFYb81eRkxuqxpijNEsnLejHgVAo6U3EGw1y2gsdGecaryNV4ejIy",
  "KTLZ9DCmlGI0HZ5NeD3cjGdq0u5yzGK+K5RwVsD9al/mYT1+xW9gYyY/GkrzY8H81ETVZ0tgnyrn0yl/ZMbLS0HJKSuJNFZ5nbFE6GhoqjCU5S",
  "uJkIqH9UDMojKuKNOLGVqqhDzehFMsx24Eu7KGak2yRkboinDbvVW3C5ZLfTdChFQSakmQvLIuadAMlhrIO7BbHF1Vz0hPMjbKxrrCw/GK1VsI",
  "BbKrysVgBVofK0EwNiKVdIhHkoN2OS6WI46p6Og4F3VRElOI3VLL9JUp0VqPdWI6jP1yVz6a90mTXn/YpXoUfSYZNGhjuqzHhSwdigclcYZnIw",
  "I1ZuRshnUqYjhHwlVrQZueVox4POAfNmyZoOaPlsKrzwp5N51JdiZFlRVfTtB7k55AZjzAVeR4qEwbkiiKvOpx5cYjdt3RMzxldgtUcFWFlzuI",
  "WtNC/Suup4Fb35+vm/Mv3/WS9hdt7FOp7UeaH6VZ9wfUQ2/M/br/4cPJo9UfD7y/7/hQ95lrXz/+zsIzP8w+cnCufUfs+8N++viHFwcWOh98+s",
  "jnV8/8nv5t/tJF54U/eG3wlScOJKsnu4RzC2+eOu365IR66stP3zt/6blM54k9ojRWuPZ8e3fLueCxVqFs/+m1n5uvfHX0Jfu2y98eQ1f2Xs86",
  "P7v6ckFIzZ/YXZrvOf3xFs7/7NxbH+0/a5x9Yf5Jljnf5kWb+G/gT4KffdYAEAAA",
];

describe.skipIf(absent !== null)("a document with a password", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());

  it("is unscannable where it is a PDF that needs one, of each revision; one that opens without is the scanner's", async () => {
    const out = on.fresh("made");
    mkdirSync(out);
    writeFileSync(join(out, "bad.pdf"), pdf(MARKER));
    const strengths = {
      rc40: "40",
      rc128: "128 --use-aes=n",
      aes128: "128 --use-aes=y",
      r5: "256 --force-R5",
      r6: "256",
    };
    for (const [name, strength] of Object.entries(strengths)) {
      const how = `qpdf --allow-weak-crypto --object-streams=${name === "r6" ? "generate" : "preserve"}`;
      sh(out, `${how} --encrypt "" owner ${strength} -- bad.pdf ${name}-open.pdf`);
      sh(out, `${how} --encrypt user owner ${strength} -- bad.pdf ${name}-locked.pdf`);
    }
    sh(out, "zip -q9 all.zip r6-locked.pdf");
    const body = await on.look(out);
    for (const name of Object.keys(strengths)) {
      expect([name, findings(body)[`${name}-open.pdf`]]).toEqual([name, "infected"]);
      expect([name, told(body, `${name}-locked.pdf`)]).toEqual([name, "unscannable: encrypted"]);
    }
    expect(told(body, "all.zip!/r6-locked.pdf")).toBe("unscannable: encrypted");
    // readers differ in which of two ids they go by, so that one of them may need the password
    const twice = Buffer.concat([readFileSync(join(out, "rc128-open.pdf")), Buffer.from("\n%/ID[<aa><aa>]")]);
    expect(lockedPdf(bytesSource(twice))).toBe(true);
  });

  it("is known by a name written in numbers too, and not by a longer name", () => {
    const open = (change: (text: string) => string) => lockedPdf(bytesSource(Buffer.from(change(READABLE), "latin1")));
    const READABLE = `%PDF-1.4\n5 0 obj <</Filter/Standard/V 1/R 2/P -4/O<${"00".repeat(32)}>/U<${"00".repeat(32)}>>> endobj trailer <</Encrypt 5 0 R/ID[<00><00>]>>`;
    expect(open((text) => text)).toBe(true);
    expect(open((text) => text.replace("/Encrypt 5 0 R", ""))).toBe(false);
    expect(open((text) => text.replace("/Encrypt", "/#45ncr#79pt"))).toBe(true);
    expect(open((text) => text.replace("/Encrypt", "/EncryptMetadata"))).toBe(false);
  });

  it("is unscannable where it is Office's: encrypted packages, and the old formats by their own words", async () => {
    const office = gunzipSync(Buffer.from(OFFICE.join(""), "base64"));
    const xls = on.fresh("a.xls");
    sh("/", `/usr/bin/python3 -c "import xlwt; w=xlwt.Workbook(); w.add_sheet('a').write(0,0,'x'); w.save('${xls}')"`);
    const plain = readFileSync(xls);
    const passed = Buffer.from(plain);
    passed.writeUInt16LE(0x2f, passed.indexOf(Buffer.from("e10002", "hex")));
    const asWord = (flags: number) => {
      const bytes = Buffer.from(plain);
      const entry = bytes.indexOf(Buffer.from("Workbook", "utf16le"));
      bytes.write("WordDocument", entry, "utf16le");
      bytes.writeUInt16LE(26, entry + 64);
      bytes.writeUInt16LE(flags, 512 + 10);
      return bytes;
    };
    expect(lockedCompound(bytesSource(asWord(0)))).toBe(false);
    expect(lockedCompound(bytesSource(asWord(0x0100)))).toBe(true);
    const body = await on.look(
      layOut(on.fresh("made"), {
        "locked.docx": office,
        "plain.xls": plain,
        "filepass.xls": passed,
        "cut.xls": plain.subarray(0, 1000),
      }),
    );
    expect(findings(body)).toEqual({
      "locked.docx": "unscannable",
      "plain.xls": "clean",
      "filepass.xls": "unscannable",
      "cut.xls": "unscannable",
    });
    expect(told(body, "locked.docx")).toBe("unscannable: encrypted");
  });

  it("is unscannable where it is an OpenDocument, or a message by OpenPGP or CMS", async () => {
    const out = on.fresh("made");
    mkdirSync(join(out, "odf", "META-INF"), { recursive: true });
    const entry =
      '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>';
    const open = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">';
    const listing = join(out, "odf", "META-INF", "manifest.xml");
    writeFileSync(listing, `${open}</manifest:manifest>`);
    sh(out, "cd odf && zip -qr ../plain.odt .");
    writeFileSync(listing, `${open}${entry}</manifest:manifest>`);
    sh(out, "cd odf && zip -qr ../locked.odt . && cd .. && rm -r odf");
    sh(
      out,
      [
        "echo hello > x",
        "export GNUPGHOME=$PWD/home && mkdir -m 700 home",
        "gpg --batch --quiet --pinentry-mode loopback --passphrase x -c -o symmetric.gpg x",
        "gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key a rsa2048 encr never",
        "gpg --batch --quiet --trust-model always -r a -o public.gpg -e x",
        "gpg --batch --quiet --trust-model always -r a -a -o public.asc -e x",
        "gpgconf --kill all; rm -rf home",
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout k.pem -out c.pem",
        "openssl smime -encrypt -aes256 -binary -outform DER -in x -out cms.p7m c.pem && rm k.pem c.pem",
      ].join("\n"),
    );
    const body = await on.look(out);
    expect(findings(body)).toMatchObject({ "plain.odt": "clean", "locked.odt": "unscannable", x: "clean" });
    for (const name of ["symmetric.gpg", "public.gpg", "public.asc", "cms.p7m"])
      expect([name, told(body, name)]).toEqual([name, expect.stringMatching(/^unscannable: encrypted/)]);
  });
});
