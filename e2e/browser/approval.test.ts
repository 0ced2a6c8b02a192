/** A group gets approvers in the browser; what is published then waits, and is wanted when two persons have signed it with
 *  the command line. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeToken } from "../../apps/web/src/person/api-token.ts";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";

const SALLYPORT = join(import.meta.dirname, "../../packages/cli/bin/sallyport.mjs");
const RUNS_MS_MAX = 300_000;
const folder = mkdtempSync(join(tmpdir(), "sallyport-approvers-"));

let console_: Console;
let page: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;
let token: string;

beforeAll(async () => {
  ({ console_, page, faults, fleet, stop } = await overFleet());
  const { rows } = await console_.pool.query<{ id: string }>("SELECT id FROM person LIMIT 1");
  token = (await makeToken(console_.pool, { person: rows[0]!.id, name: "t", scopes: ["approval"], days: 1 })).token;
}, START_MS_MAX);
afterAll(async () => {
  await stop?.();
  rmSync(folder, { recursive: true, force: true });
});

function sallyport(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [SALLYPORT, ...args], {
    env: { ...process.env, SALLYPORT_TOKEN: token, SALLYPORT_URL: console_.url },
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}
async function makeKey(file: string, name: string): Promise<string> {
  const made = await sallyport("key", "new", file, "--name", name, "--no-passphrase", "--json");
  if (made.code !== 0) throw new Error(made.err);
  return (JSON.parse(made.out) as { publicKey: string }).publicKey;
}
async function signs(id: string, file: string): Promise<string> {
  const shown = await sallyport("approval", "show", id, "--key", file, "--json");
  const { confirm } = JSON.parse(shown.out) as { confirm: string };
  const signed = await sallyport("sign", id, "--key", file, "--confirm", confirm);
  if (signed.code !== 0) throw new Error(signed.err || signed.out);
  return signed.out;
}

describe.skipIf(isAbsent())("a group with approvers", () => {
  test("is given them by its owner, and what is published waits for two of them", {
    timeout: RUNS_MS_MAX,
  }, async () => {
    const keys = [await makeKey("mara.key", "Mara"), await makeKey("jonas.key", "Jonas")];
    await page.goto(`/policy/${fleet.groups["front desk"]}`);
    await page.getByText("The console’s key alone.").waitFor();
    await page.getByRole("button", { name: "Approvers…" }).click();
    const dialog = page.getByRole("dialog");
    for (const [at, name] of ["Mara", "Jonas"].entries()) {
      await dialog.getByRole("button", { name: "Add an approver" }).click();
      await dialog.getByLabel(`Name of approver ${at + 1}`).fill(name);
      await dialog.getByLabel("Public key").nth(at).fill(keys[at]!);
    }
    await dialog.getByLabel("How many of them must sign").fill("2");
    await dialog.getByLabel("Why").fill("Two persons decide here");
    await dialog.getByRole("button", { name: "Sign and tell them" }).click();
    await page.getByText("The console and 2 of 2 approvers.").waitFor();

    await page.getByLabel("Policy text").fill("usb:\n  deviceRules: []\n  unscannable: allow\n");
    await page.getByRole("button", { name: "Publish…" }).click();
    await page.getByRole("dialog").getByLabel("What changes, and why").fill("The scanner is away");
    await page.getByRole("dialog").getByRole("button", { name: "Sign and publish" }).click();
    await page.getByText(/waits for 2 approvers’ signatures: see Approvals/).waitFor();

    const menu = page.getByRole("navigation", { name: "Main" });
    await menu.getByRole("link", { name: /^Approvals\s*1 waiting$/ }).click();
    await page.waitForURL("**/approvals"); // the group's page has the same words
    await page.getByText("2 of 2 missing").click();
    await page.getByRole("heading", { name: /^Approval: publish r\d+ of front desk/ }).waitFor();
    await page.waitForURL(/\/approvals\/[0-9a-f-]{36}$/);
    const id = page.url().slice(-36);
    await page
      .getByRole("list", { name: "Looser" })
      .getByText(/unscannable files: hold → allow/)
      .waitFor();
    await page.getByText("2 more must sign").waitFor();
    await page.getByRole("button", { name: "Run replay" }).click();
    await page.getByTestId("replay-result").waitFor();

    await page.goto(`/policy/${fleet.groups["front desk"]}`);
    await page
      .getByRole("list", { name: "Waiting for signatures" })
      .getByRole("link", { name: /publish r/ })
      .click();
    await page.waitForURL(`**/approvals/${id}`);
    expect(await signs(id, "mara.key")).toMatch(/1 more must sign/);
    await page.getByText("1 more must sign").waitFor();
    await page.getByText(/Mara,/).waitFor();
    expect(await signs(id, "jonas.key")).toMatch(/enough have: it is done/);
    await page.getByText("done", { exact: true }).waitFor();
    await page.goto(`/policy/${fleet.groups["front desk"]}`);
    await page.getByText("The scanner is away").first().waitFor();
    const { rows } = await console_.pool.query<{ signed: number }>(
      "SELECT jsonb_array_length(statement -> 'signatures') AS signed FROM wanted(NULL, $1)",
      [fleet.groups["front desk"]],
    );
    expect(rows[0]?.signed).toBe(3);
    expect(faults).toEqual([]);
  });

  test("has what waits taken back with a reason", { timeout: RUNS_MS_MAX }, async () => {
    await page.goto(`/policy/${fleet.groups["front desk"]}`);
    await page.getByLabel("Policy text").fill("usb:\n  deviceRules: []\n");
    await page.getByRole("button", { name: "Publish…" }).click();
    await page.getByRole("dialog").getByLabel("What changes, and why").fill("It is back");
    await page.getByRole("dialog").getByRole("button", { name: "Sign and publish" }).click();
    await page.getByText(/waits for 2 approvers’ signatures: see Approvals/).waitFor();
    await page.goto("/approvals");
    await page.getByText("2 of 2 missing").click();
    await page.getByRole("button", { name: "Withdraw…" }).click();
    await page.getByRole("dialog").getByLabel("Why").fill("Not yet");
    await page.getByRole("dialog").getByRole("button", { name: "Withdraw", exact: true }).click();
    await page.getByText(/It is withdrawn/).waitFor();
    await page.getByRole("link", { name: "All approvals" }).click();
    await page.getByText("Nothing waits for signatures").waitFor();
    await page.getByRole("button", { name: "Over" }).click();
    await page.getByText("withdrawn", { exact: true }).waitFor(); // the notice of it may still be there
    expect(faults).toEqual([]);
  });
});
