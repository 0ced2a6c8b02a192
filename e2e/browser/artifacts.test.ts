/** The page of artifacts over the real console: what a person sends is streamed into the store, whole, and taken away. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAbsent, openBrowser, openPage, START_MS_MAX } from "./chromium.ts";
import { type Console, startConsole } from "./console.ts";
import { makeOwner } from "./people.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-page-"));
let made: Console;
let browser: Browser;
let page: Page;
let faults: string[];

beforeAll(async () => {
  if (isAbsent()) return;
  browser = await openBrowser();
  made = await startConsole();
  ({ page, faults } = await openPage(browser, made.url));
  await makeOwner(page, made.setupUrl);
  await page.goto("/artifacts");
}, START_MS_MAX);
afterAll(async () => {
  await browser?.close();
  await made?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function send(name: string, bytes: Uint8Array | string): Promise<string> {
  writeFileSync(join(folder, name), bytes);
  await page.getByLabel("File").setInputFiles(join(folder, name));
  await page.getByRole("button", { name: "Add", exact: true }).click();
  return createHash("sha256").update(bytes).digest("hex");
}

/** A database of `bytes` bytes behind a true header. */
function cvd(bytes: number): Buffer {
  const body = randomBytes(bytes);
  const head = Buffer.alloc(512, " ");
  const md5 = createHash("md5").update(body).digest("hex");
  head.write(`ClamAV-VDB:23 Nov 2026 08-25 +0000:27500:2079004:90:${md5}:x:builder:1764000000`);
  return Buffer.concat([head, body]);
}

describe.skipIf(isAbsent())("the page of artifacts", () => {
  test("takes a rule set, says how many rules it has, and gives what a policy must say", async () => {
    await page.getByText("There is none yet").waitFor();
    const rules = 'alert udp any any -> any 53 (msg:"one"; sid:1;)\nalert udp any any -> any 53 (msg:"two"; sid:2;)\n';
    const sha256 = await send("site.rules", rules);
    await page.getByText("site.rules was added.").waitFor();
    await page.getByText("2 rules").waitFor();
    await page.getByText("in no policy").waitFor();
    const { rows } = await made.pool.query("SELECT sha256 FROM artifact");
    expect(rows).toEqual([{ sha256 }]);
  });

  test("says what is wrong with what is none, and keeps nothing of it", async () => {
    await send("bad.rules", "<!doctype html>\n");
    await page.getByText("This is no rule set. Line 1 begins with no action of a rule").waitFor();
    await send("notes.docx", "words");
    await page.getByText("is no database's name as clamd knows it").waitFor();
    expect((await made.pool.query("SELECT 1 FROM artifact")).rowCount).toBe(1);
  });

  test("takes a database of 40 MB whole", async () => {
    const whole = cvd(40_000_000);
    const sha256 = await send("daily.cvd", whole);
    await page.getByText("daily.cvd was added.").waitFor({ timeout: 120_000 });
    await page.getByText("version 27500 · of 2026-11-23").waitFor();
    const { rows } = await made.pool.query<{ bytes: string; pieces: string }>(
      `SELECT a.bytes, (SELECT sum(length(p.bytes)) FROM artifact_piece p WHERE p.artifact = a.id) AS pieces
         FROM artifact a WHERE sha256 = $1`,
      [sha256],
    );
    expect(rows).toEqual([{ bytes: String(whole.length), pieces: String(whole.length) }]);
    await page.getByRole("button", { name: "Copy the newest of each for the policy" }).waitFor();
  });

  test("takes one away after it has said what that does, and both are on the trail", async () => {
    await page.getByRole("button", { name: "Remove site.rules" }).click();
    await page.getByText("nobody can fetch it any more").waitFor();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("site.rules was removed.").waitFor();
    const { rows } = await made.pool.query<{ kind: string }>(
      "SELECT kind FROM record WHERE kind LIKE 'person.artifact%' ORDER BY index",
    );
    expect(rows.map(({ kind }) => kind)).toEqual([
      "person.artifact-added",
      "person.artifact-added",
      "person.artifact-removed",
    ]);
    expect(faults.filter((fault) => !/\b40[0-9]\b/.test(fault))).toEqual([]);
  });
});
