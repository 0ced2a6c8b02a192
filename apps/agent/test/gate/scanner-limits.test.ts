/** Settings under which a real clamd says OK of a file it has not looked into. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClamdServer, MARKER, startClamd } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { pdf } from "./pdf.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap");
const MIB = 1024 * 1024;

describe.skipIf(absent !== null)("the scanner's own settings", () => {
  let on: Scanning;
  const others: ClamdServer[] = [];
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(async () => {
    for (const other of others) await other.stop();
    await on?.stop();
  });
  const other = async (settings: Record<string, string>): Promise<ClamdServer> => {
    const started = await startClamd(settings);
    others.push(started);
    return started;
  };

  it("that leave files out are a doubt on the whole, and hold it though each file is called clean", async () => {
    const folder = layOut(on.fresh("tree"), { "bad.pdf": pdf(MARKER), "hello.txt": "hello" });
    expect((await on.look(folder)).verdict).toBe("block");
    const body = await on.look(folder, {}, { clamd: await other({ ScanPDF: "no" }) });
    expect(findings(body)).toEqual({ "bad.pdf": "clean", "hello.txt": "clean" });
    expect(body.problems?.[0]).toContain("clamd.conf says ScanPDF no");
    expect(body.verdict).toBe("hold");
  });

  it("of HTML: a page beyond them is unscannable, as clamd would call even a bad one clean; a text is not", async () => {
    const text = "lorem ipsum ".repeat((2 * MIB) / 12);
    const clamd = await other({ MaxHTMLNormalize: "1M" });
    const pages = {
      "page.html": `<html><body>${text}</body></html>`,
      "bad.html": `<html><body>${text}${MARKER}</body></html>`,
      "wide.html": Buffer.from(`\ufeff<IMG src=x>${text}`, "utf16le"),
      "small.html": `<html>${text.slice(0, 1000)}`,
      "text.txt": text,
      "bad.txt": `${text}${MARKER}`,
    };
    const body = await on.look(layOut(on.fresh("tree"), pages), {}, { clamd });
    expect(findings(body)).toEqual({
      "page.html": "unscannable",
      "bad.html": "unscannable",
      "wide.html": "unscannable",
      "small.html": "clean",
      "text.txt": "clean",
      "bad.txt": "infected",
    });
    expect(told(body, "page.html")).toContain("MaxHTMLNormalize");
  });

  it("which keep answers by MD5 do not let one file answer for another", async () => {
    // two blocks of one MD5 (Wang and Yu, 2005)
    const [one, two] = COLLISION.map((hex) => Buffer.from(hex, "hex"));
    const body = await on.look(layOut(on.fresh("tree"), { one: one!, two: two!, again: one! }));
    expect(Object.values(findings(body)).sort()).toEqual(["clean", "clean", "unscannable"]);
    expect(body.manifest.some((row) => /MD5 of another file/.test(row.detail ?? ""))).toBe(true);
    expect(new Set(body.manifest.map((row) => row.md5)).size).toBe(1);
  });
});

const COLLISION = [
  "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70",
  "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70",
];
