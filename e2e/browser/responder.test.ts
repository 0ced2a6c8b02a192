/** What a responder does from the lists: many workstations told one thing, a stick's exception taken back, a request
 *  answered with no. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedWorkstation } from "../../apps/web/test/seed.ts";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import { type ExceptionsSeeded, seedExceptions } from "./exceptions.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";

let made: Console;
let page: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;
let exceptions: ExceptionsSeeded;

beforeAll(async () => {
  ({ console_: made, page, faults, fleet, stop } = await overFleet());
  exceptions = await seedExceptions(made.pool, made.consoleKey, fleet.groups.laboratory);
}, START_MS_MAX);
afterAll(() => stop?.());

const row = (text: string | RegExp) => page.getByRole("row").filter({ hasText: text });
const choose = (name: string) => page.getByRole("checkbox", { name: `Choose ${name}`, exact: true }).check();

describe.skipIf(isAbsent())("from the lists", () => {
  test("workstations that are chosen, or match, are told one thing: each on its own, as it was seen", async () => {
    await page.goto("/workstations?search=lab-");
    await choose("lab-07");
    await page.getByText("1 chosen").waitFor();
    expect(page.url()).toMatch(/\/workstations\?search=lab-$/); // the row was not opened
    await page.getByRole("button", { name: "Choose all that match" }).click();
    await page.getByText("4 chosen").waitFor();
    await page.getByRole("checkbox", { name: "Choose lab-23", exact: true }).uncheck();
    const bar = page.getByRole("region", { name: "Chosen workstations" });
    await bar.getByText("3 chosen").waitFor();
    // behind the person's back, while they look
    await made.pool.query("UPDATE workstation SET name = 'lab-20' WHERE name = 'lab-19'");
    await bar.getByRole("button", { name: "Isolate…" }).click();
    const dialog = page.getByRole("dialog", { name: "Tell 3 workstations to do something" });
    await dialog.getByText("Cuts the guests' network at once").waitFor();
    await dialog.getByLabel("Why").fill("a worm was seen");
    await dialog.getByRole("button", { name: "Sign and send to 3" }).click();
    const done = page.getByRole("dialog", { name: "Isolate: what was told" });
    await done.getByText("1 of 3 workstations was not told.").waitFor();
    const at = (name: string) => done.getByRole("listitem").filter({ hasText: name });
    await at("lab-19").getByText("This workstation is called lab-20 by now").waitFor();
    await at("lab-12").getByText("sent", { exact: true }).waitFor();
    await made.pool.query(
      `UPDATE command SET standing = 'done', state = jsonb_build_object('state', 'done', 'at', now()) WHERE workstation_id = $1`,
      [fleet.workstations.get("lab-07")],
    );
    await at("lab-07").getByText("done", { exact: true }).waitFor();
    await done.getByRole("button", { name: "Close" }).click();
    await page.goto("/explore?kind=person.command-sent");
    for (const name of ["lab-07", "lab-12"]) await row(`told ${name} to isolate: a worm was seen`).waitFor();
    expect(await row("to isolate: a worm was seen").count()).toBe(2);
  });

  test("all that match are chosen, also one that moves in the list while it is read", async () => {
    const { pool } = made;
    const group = fleet.groups.laboratory;
    for (let at = 100; at < 350; at++)
      await seedWorkstation(pool, { name: `many-${at}`, group, lastReceiptAgoMs: at * 60_000 });
    try {
      await page.route(/workstation\.list.*cursor/, async (route) => {
        await pool.query("UPDATE workstation SET last_receipt_at = now() WHERE name = 'many-340'");
        await route.continue();
      });
      await page.goto("/workstations?search=many-&sort=-last-record");
      await choose("many-100");
      await page.getByRole("button", { name: "Choose all that match" }).click();
      await page.getByText(/^[2-9]\d+ chosen$/).waitFor();
      expect(await page.getByText(/^\d+ chosen$/).textContent()).toBe("250 chosen");
      // those that match are all chosen, also those that are not listed yet
      await page.getByRole("button", { name: "Choose all that match" }).waitFor({ state: "detached" });
      await page.getByRole("checkbox", { name: "Choose many-101", exact: true }).uncheck();
      await page.getByRole("button", { name: "Choose all that match" }).click();
      await page.getByText("250 chosen").waitFor();
    } finally {
      await page.unroute(/workstation\.list.*cursor/);
      await pool.query("DELETE FROM workstation WHERE name LIKE 'many-%'");
    }
  });

  test("who would have to sign, and who is told nothing, is said before anything is signed", async () => {
    await made.pool.query(`UPDATE "group" SET threshold = 2 WHERE id = $1`, [fleet.groups.finance]);
    await page.goto("/workstations");
    for (const name of ["fin-02", "lab-07", "spare-01"]) await choose(name);
    await page.getByRole("button", { name: "Another command…" }).click();
    const dialog = page.getByRole("dialog");
    const at = (name: string) => dialog.getByRole("listitem").filter({ hasText: name });
    await at("spare-01").getByText("is not told: it is quarantined and takes no commands").waitFor();
    await at("fin-02").getByText("is told at once").waitFor();
    await dialog.getByRole("button", { name: "Sign and send to 2" }).waitFor();
    await dialog.getByLabel("Command", { exact: true }).selectOption("Pause a guest");
    await at("fin-02").getByText("waits for 2 signatures in all").waitFor();
    await at("lab-07").getByText("is told at once, of win11-lab").waitFor();
    await dialog.getByRole("button", { name: "Sign and send to 1, ask for 1" }).waitFor();
    expect((await made.pool.query("SELECT FROM command WHERE verb <> 'isolate'")).rowCount).toBe(0);
    await dialog.getByLabel("Command", { exact: true }).selectOption("Collect diagnostics");
    await dialog.getByLabel("Why").fill("it is slow since the update");
    await dialog.getByRole("button", { name: "Sign and send to 2" }).click();
    await dialog.getByText("1 of 3 workstations was not told.").waitFor();
    await at("spare-01").getByText("it is quarantined and takes no commands").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Choose none" }).click();
    await page.getByRole("region", { name: "Chosen workstations" }).waitFor({ state: "detached" });
    const { rows } = await made.pool.query("SELECT verb FROM command WHERE verb <> 'isolate'");
    expect(rows).toEqual([{ verb: "diagnostics" }, { verb: "diagnostics" }]);
  });

  test("an exception is taken back and a request is refused on their scans, and the list says so", async () => {
    await page.goto(exceptions.allowed);
    await page.getByLabel("Why is it taken back?").fill("the wrong contract");
    await page.getByRole("button", { name: /^Revoke/ }).click();
    await page.getByText(/revoked on .*the wrong contract/).waitFor();
    await page.goto(exceptions.image);
    await page.getByLabel("Why may it pass, or not?").fill("nobody needs the whole of it");
    await page.getByRole("button", { name: "Refuse", exact: true }).click();
    await page.getByText(/refused on .*nobody needs the whole of it/).waitFor();
    await page.goto("/usb/requests");
    await row("the wrong contract").getByText("revoked").waitFor();
    const refused = row("nobody needs the whole of it");
    await refused.getByText("refused").waitFor();
    await refused.getByText("whole image, 29.7 GiB").waitFor();
  });

  test("nothing of it asked another host for anything or broke the pages' own rules", () => expect(faults).toEqual([]));
});
