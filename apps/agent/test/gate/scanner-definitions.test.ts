/** Definitions of a site's own by which a real clamd says OK of a file that it has not looked into. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWords } from "../../src/dom0/stick-folder.ts";
import { findClamd } from "../../src/gate/command.ts";
import { startScan } from "../../src/gate/reader/clamd.ts";
import { type ClamdServer, EICAR, startClamd } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { type Scanning, scanning } from "./scanning.ts";

const absent = missing("clamd", "bwrap");

const IGNORED = "0:0:25504446:a PDF is nothing:CL_TYPE_ANY:CL_TYPE_IGNORED\n";
const NO_ARCHIVES = "ARCHIVE:0x0\n";
const SIGNATURE = "Site.Other:0:*:73616c6c79706f7274\n";

describe.skipIf(absent !== null)("definitions of a site's own", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());

  /** An unsigned set: a header, and behind it a tar with the list of what else is in it. */
  function unsigned(name: string, text: string): Buffer {
    const folder = on.fresh("set");
    mkdirSync(folder);
    const header = `ClamAV-VDB:30 Nov 2026 00-00 +0000:1:1:90:${"0".repeat(32)}:x:site:1790000000`;
    const row = `${name}:${text.length}:${createHash("sha256").update(text).digest("hex")}`;
    writeFileSync(join(folder, "site.info"), `${header}\n${row}\n`);
    writeFileSync(join(folder, name), text);
    const tar = execFileSync("tar", ["-C", folder, "--format=ustar", "-czf", "-", "site.info", name]);
    return Buffer.concat([Buffer.from(header.padEnd(512)), tar]);
  }
  const found = async (clamd: ClamdServer) => (await findClamd(undefined, clamd.conf, {}, readWords))!;
  async function looksInto(clamd: ClamdServer): Promise<boolean> {
    const scan = startScan(clamd.socket!, 10_000);
    await scan.write(gzipSync(EICAR));
    return (await scan.finish()).answer === "infected";
  }
  async function withClamd(definitions: Record<string, string | Buffer>, look: (clamd: ClamdServer) => Promise<void>) {
    const clamd = await startClamd({}, definitions);
    await look(clamd).finally(() => clamd.stop());
  }

  it.each([
    ["marks of types, which take the place of clamd's own", "site.ftm", () => IGNORED],
    ["marks of types by a name in capitals", "SITE.FTM", () => IGNORED],
    ["what switches parts of clamd off", "site.cfg", () => NO_ARCHIVES],
    ["a set without a signature, and marks in it", "site.cud", () => unsigned("site.ftm", IGNORED)],
  ])("are a doubt on the whole, and hold it, where they are %s", async (_, name, content) => {
    await withClamd({ [name]: content() }, async (clamd) => {
      expect(await looksInto(clamd)).toBe(false);
      const body = await on.look(layOut(on.fresh("tree"), { "hello.txt": "hello" }), {}, { clamd: await found(clamd) });
      expect(body.problems).toEqual([expect.stringMatching(`definitions is ${name}, by which`)]);
      expect(body.verdict).toBe("hold");
      const folder = /^DatabaseDirectory (.*)$/m.exec(readFileSync(clamd.conf, "utf8"))![1]!;
      rmSync(join(folder, name));
      expect((await found(clamd)).doubts).toEqual([]);
    });
  });

  it("are none where they only find more", async () => {
    await withClamd({ "site.ndb": SIGNATURE, "site.ftm.txt": IGNORED }, async (clamd) => {
      expect(await looksInto(clamd)).toBe(true);
      expect((await found(clamd)).doubts).toEqual([]);
    });
  });

  it("are a doubt where nobody can see them, and none where there are none", async () => {
    const conf = on.fresh("clamd.conf");
    const doubts = async (database: string) => {
      writeFileSync(conf, `LocalSocket ${conf}.sock\nDatabaseDirectory ${database}\n`);
      return (await findClamd(undefined, conf, {}, readWords))!.doubts;
    };
    expect(await doubts(join(dirname(conf), "nowhere"))).toEqual([]);
    expect(await doubts(join(dirname(conf), "x".repeat(300)))).toEqual([
      expect.stringContaining("cannot be looked at"),
    ]);
  });
});
