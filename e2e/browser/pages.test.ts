/** What an admin and a viewer do with the pages over a fleet that is there: stories, the live tail, a workstation's end. */
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actRecord } from "../../apps/web/src/person/act.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { isAbsent, openPage, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";
import { join } from "./people.ts";

let console_: Console;
let browser: Browser;
let owner: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;

beforeAll(async () => {
  ({ console_, browser, page: owner, faults, fleet, stop } = await overFleet());
}, START_MS_MAX);
afterAll(() => stop?.());

/** Commits one act to the console's trail, as another person's click would. */
async function commit(text: string): Promise<void> {
  const tx = await console_.pool.connect();
  await tx.query("BEGIN");
  const by = { id: "p", email: "somebody@example.org" };
  await consoleRecorder(console_.consoleKey)(tx, actRecord(by, {}, { kind: "person.noted", text }));
  await tx.query("COMMIT");
  tx.release();
}

const row = (page: Page, text: string) => page.getByRole("row").filter({ hasText: text });
const shortly = (page: Page) => page.getByRole("status").filter({ hasText: /./ });

describe.skipIf(isAbsent())("pages over a fleet", () => {
  test("the story of a stick names its steps and where else its bytes were seen, leads there, and proves each line here", async () => {
    await owner.goto("/explore?kind=usb.scan&severity=error");
    await row(owner, "SanDisk Ultra 32 GB: block").click();
    const drawer = owner.getByRole("complementary", { name: "Details" });
    await drawer.getByText("was read whole in dom0 and judged").waitFor();
    const order = drawer.getByRole("region", { name: "In order" });
    await order.getByText("same stick").first().waitFor();
    expect(await order.getByText("same stick").count()).toBeGreaterThanOrEqual(3);
    await order.getByText("this record").waitFor();
    await drawer.locator('[data-story-proof="true"]').waitFor();
    await drawer.getByRole("button", { name: /^Prove all/ }).click();
    const lines = (await order.getByRole("listitem").count()) + 1;
    await expect.poll(() => drawer.locator('[data-proved="whole"]').count(), { timeout: 60_000 }).toBeGreaterThan(5);
    expect(await drawer.locator('[data-proved="broken"]').count()).toBe(0);
    expect(lines).toBeGreaterThan(5);
    const elsewhere = drawer.getByRole("region", { name: "Elsewhere" });
    await elsewhere.getByText("same image").waitFor();
    await elsewhere.getByRole("link").first().click();
    await drawer.getByText("unnamed stick: block").first().waitFor();
  });

  test("live lines are pushed, come once, and go on after the connection was cut", async () => {
    await owner.goto("/explore?live=1&kind=person.noted");
    await owner.getByRole("button", { name: "● Live" }).waitFor();
    await commit("pushed one");
    await row(owner, "pushed one").waitFor();
    await owner.context().setOffline(true);
    await console_.pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN record' AND pid <> pg_backend_pid()",
    );
    await commit("pushed while away");
    await owner.context().setOffline(false);
    await commit("pushed three");
    for (const text of ["pushed one", "pushed while away", "pushed three"]) {
      await row(owner, text).waitFor({ timeout: 90_000 });
      expect(await row(owner, text).count()).toBe(1);
    }
  });

  test("Back takes a filter, and Live, away again; opening records is no step of its own", async () => {
    await owner.goto("/explore");
    const query = owner.getByLabel("Add to the query");
    await query.fill("kind:guest.log");
    await query.press("Enter");
    await owner.waitForURL("**/explore?kind=guest.log");
    await query.fill("workstation:LAB-07");
    await query.press("Enter");
    await owner.waitForURL("**/explore?kind=guest.log&workstation=*");
    await owner.getByText("lab-07", { exact: true }).first().waitFor();
    await query.press("Escape");
    await owner.keyboard.press("j");
    await owner.waitForURL("**&open=*");
    await owner.keyboard.press("j");
    await owner.getByRole("button", { name: "Live" }).click();
    await owner.waitForURL("**&live=1*");
    await owner.goBack();
    await owner.waitForURL((url) => !url.search.includes("live") && url.search.includes("workstation"));
    await owner.goBack();
    await owner.waitForURL("**/explore?kind=guest.log");
    await owner.goBack();
    await owner.waitForURL("**/explore");
    await query.fill("workstation:nobody is called so");
    await query.press("Enter");
    await owner.getByText("No workstation is called nobody is called so.").waitFor();
  });

  test("an API token is made, shown once, fetches a trail, and is refused once it is revoked", async () => {
    await owner.goto("/account");
    await owner.getByLabel("Name of a new token").fill("nightly export");
    await owner.getByRole("button", { name: "Make a token" }).click();
    await owner.getByText("Choose what it is for.").waitFor();
    await owner.getByLabel("export", { exact: true }).check();
    await owner.getByRole("button", { name: "Make a token" }).click();
    const token = (await owner.locator("[data-api-token]").textContent()) ?? "";
    expect(token).toMatch(/^sallyport_[\w-]{43}$/);
    const fetched = async () =>
      (await fetch(`${console_.url}/api/export/lab-07`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await fetched()).toBe(200);
    await owner.reload();
    const listed = owner.getByRole("listitem").filter({ hasText: "nightly export" });
    await listed.getByText(/used (now|\d+ s ago)/).waitFor();
    expect(await owner.locator("[data-api-token]").count()).toBe(0);
    expect(await owner.content()).not.toContain(token);
    await listed.getByRole("button", { name: "Revoke" }).click();
    await listed.waitFor({ state: "detached" });
    expect(await fetched()).toBe(401);
  });

  test("one token is for all that a pipeline does: it publishes, and watches the rollout of what it published", async () => {
    await owner.goto("/account");
    await owner.getByLabel("Name of a new token").fill("policies, watched");
    await owner.getByLabel("policy, apply from a pipeline").check();
    await owner.getByLabel("rollouts, read").check();
    await owner.getByLabel("Runs out after").selectOption("30 days");
    await owner.getByRole("button", { name: "Make a token" }).click();
    const token = (await owner.locator("[data-api-token]").textContent()) ?? "";
    const listed = owner.getByRole("listitem").filter({ hasText: "policies, watched" });
    await listed.getByText("policy:read policy:write rollout:read").waitFor();
    await listed.getByText("runs out in 30 d").waitFor();
    const answer = await fetch(`${console_.url}/api/rollout`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  });

  test("a link with a slip in it leads to a page that says so, not to a rule about ids", async () => {
    for (const path of [
      "/workstations/nosuch",
      "/policy/nosuch",
      "/rollouts/nosuch",
      "/approvals/nosuch",
      "/usb/x/1",
    ]) {
      await owner.goto(path);
      await owner.getByText("There is nothing at this address").waitFor();
    }
  });

  test("a workstation is moved by a signed membership, and the page shows the policy that is wanted now", async () => {
    await owner.goto(`/workstations/${fleet.workstations.get("lab-12")}`);
    await owner.getByRole("button", { name: "Move…" }).click();
    const dialog = owner.getByRole("dialog");
    await dialog.getByLabel("From laboratory to").selectOption("finance");
    await dialog.getByText("It will be wanted to have r1 of finance").waitFor();
    await dialog.getByRole("button", { name: "Sign and move" }).click();
    await shortly(owner).filter({ hasText: "Moved to finance" }).waitFor();
    await owner.getByText("wanted r1, found r2").waitFor();
    await owner.goto("/explore?kind=person.workstation-moved");
    await row(owner, "moved lab-12 from laboratory to finance").waitFor();
  });

  test("name and labels are changed where they are shown, and a label that is none is told", async () => {
    await owner.goto(`/workstations/${fleet.workstations.get("fin-04")}`);
    await owner.getByRole("button", { name: "Name and labels…" }).click();
    await owner.getByLabel("Labels").fill("Spare, drawer:2");
    await owner.getByRole("button", { name: "Keep" }).click();
    await owner.getByText("a label is 1 to 32 of").waitFor();
    await owner.getByLabel("Labels").fill("spare, drawer:2");
    await owner.getByRole("button", { name: "Keep" }).click();
    await owner.getByRole("dialog").waitFor({ state: "detached" });
    await owner.goto("/workstations?search=drawer:2");
    await row(owner, "fin-04").waitFor();
  });

  test("a workstation is isolated for a reason, shows that it was told, and wants its name typed before it is wiped", async () => {
    await owner.goto(`/workstations/${fleet.workstations.get("lab-19")}`);
    await owner.getByText("It was told nothing yet").waitFor();
    await owner.getByRole("button", { name: "Isolate…" }).click();
    const dialog = owner.getByRole("dialog");
    await dialog.getByText("Cuts the guests' network at once").waitFor();
    await dialog.getByLabel("For", { exact: true }).selectOption("a day");
    await dialog.getByLabel("Why").fill("it speaks to a stranger");
    await dialog.getByRole("button", { name: "Sign and send" }).click();
    await dialog.waitFor({ state: "detached" });
    const told = row(owner, "it speaks to a stranger");
    await told.getByText("sent").waitFor();
    await told.getByText(/until \d\d-\d\d/).waitFor();

    await owner.getByRole("button", { name: "Another command…" }).click();
    await dialog.getByLabel("Command", { exact: true }).selectOption("Wipe a volume");
    await dialog.getByText("Nothing takes it back").waitFor();
    await dialog.getByLabel("Volume").fill("the big one");
    await dialog.getByLabel("Why").fill("it was lost");
    const send = dialog.getByRole("button", { name: "Sign and send" });
    expect(await send.isDisabled()).toBe(true);
    await dialog.getByLabel("Type lab-19 to go on").fill("lab-19");
    await send.click();
    await dialog.getByText("a volume's UUID as its header has it").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await owner.goto("/explore?kind=person.command-sent");
    await row(owner, "told lab-19 to isolate: it speaks to a stranger").waitFor();
  });

  test("a workstation is revoked in two steps, with a reason that stands on its page and on the console's trail", async () => {
    await owner.goto(`/workstations/${fleet.workstations.get("lab-07")}`);
    await owner.getByRole("button", { name: "Revoke…" }).click();
    const dialog = owner.getByRole("dialog");
    await dialog.getByText("There is no undo").waitFor();
    expect(await dialog.getByRole("button", { name: "Go on…" }).isDisabled()).toBe(true);
    await dialog.getByLabel("Why").fill("stolen from the front desk");
    await dialog.getByRole("button", { name: "Go on…" }).click();
    const now = dialog.getByRole("button", { name: "Revoke it now" });
    await dialog.getByLabel("Type lab-07 to revoke it").fill("lab-0");
    expect(await now.isDisabled()).toBe(true);
    await dialog.getByLabel("Type lab-07 to revoke it").fill("lab-07");
    await now.click();
    await owner.getByRole("main").getByRole("alert").getByText("stolen from the front desk").waitFor();
    expect(await owner.getByRole("button", { name: "Move…" }).count()).toBe(0);
    await owner.goto("/explore?kind=person.workstation-revoked");
    await row(owner, "revoked lab-07: stolen from the front desk").waitFor();
  });

  test("what was refused is told on the overview, led to by its alert, and taken as a file by an admin", async () => {
    await owner.goto("/");
    await owner.getByRole("link", { name: "6 messages refused in 24 h" }).click();
    await row(owner, "no such workstation is enrolled").filter({ hasText: "report" }).waitFor();
    await owner.goto("/alerts");
    await row(owner, "A trail that begins wrong or is another's").click();
    await owner.getByRole("link", { name: "What was refused, in quarantine" }).click();
    await owner.waitForURL("**/quarantine?workstation=*&code=trail");
    await row(owner, "lab-07").filter({ hasText: "batch" }).waitFor();
    expect(await row(owner, "lab-07").count()).toBe(1);
    await owner.keyboard.press("j");
    await owner.getByText("the first 9 B").waitFor();
    const coming = owner.waitForEvent("download");
    await owner.getByRole("link", { name: "Take its bytes" }).click();
    const taken = await coming;
    expect(readFileSync(await taken.path(), "utf8")).toBe("(a batch)");
    await owner.goto("/explore?kind=person.quarantine-read");
    await row(owner, "took the bytes of refused message").waitFor();
  });

  test("a viewer sees a workstation and nothing to do to it; switched off, their live tail ends by itself", async () => {
    await owner.goto("/people");
    await owner.getByRole("button", { name: "Add a person" }).click();
    await owner.getByLabel("Name").fill("Vic Viewer");
    await owner.getByLabel("E-mail").fill("vic@example.org");
    await owner.getByRole("button", { name: "Make the link" }).click();
    const link = (await owner.locator("[data-shown-once]").textContent()) ?? "";
    await owner.getByRole("button", { name: "Done" }).click();
    const { page, context } = await openPage(browser, console_.url);
    await page.goto(link);
    await join(page, "Join");
    await page.goto(`/workstations/${fleet.workstations.get("fin-02")}`);
    await page.getByText("Machine memory").waitFor();
    for (const name of ["Revoke…", "Move…", "Name and labels…", "Isolate…", "Another command…"])
      expect(await page.getByRole("button", { name }).count()).toBe(0);
    await page.goto("/workstations");
    await row(page, "fin-02").waitFor();
    expect(await page.getByRole("checkbox").count()).toBe(0); // whom they may tell nothing they choose for nothing
    await page.goto("/quarantine?code=trail");
    await row(page, "batch").click();
    await page.getByText("Its bytes are for admins").waitFor();
    expect(await page.getByRole("link", { name: "Take its bytes" }).count()).toBe(0);
    const { rows } = await console_.pool.query<{ id: string }>("SELECT id FROM quarantine LIMIT 1");
    expect((await page.request.get(`${console_.url}/api/quarantine/${rows[0]?.id}`)).status()).toBe(403);
    await page.goto("/explore?live=1&kind=person.noted");
    await page.getByRole("button", { name: "● Live" }).waitFor();
    await owner.goto("/people");
    await owner
      .getByRole("row", { name: /vic@example.org/ })
      .getByRole("button", { name: "Switch off" })
      .click();
    await owner.getByRole("button", { name: "Switch on" }).waitFor();
    await page.getByText("You are signed out").first().waitFor({ timeout: 90_000 });
    await commit("after they were switched off");
    await owner.goto("/explore?live=1&kind=person.noted");
    await row(owner, "after they were switched off").waitFor();
    expect(await row(page, "after they were switched off").count()).toBe(0);
    await context.close();
  });

  test("an address that a client claims is not believed: the connection's own stands in the trail", async () => {
    await fetch(`${console_.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin: console_.url,
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-host": "evil.example",
      },
      body: JSON.stringify({ email: "mallory@example.org", password: "not the password at all" }),
    });
    const { rows } = await console_.pool.query<{ address: string }>(
      `SELECT convert_from(content, 'UTF8')::jsonb #>> '{body,address}' AS address FROM record
        WHERE kind = 'person.sign-in-refused' AND text LIKE 'mallory@%'`,
    );
    expect(rows.map(({ address }) => address.replace("::1", "127.0.0.1"))).toEqual(["127.0.0.1"]);
  });

  test("editors find the policy's schema without signing in", async () => {
    const response = await fetch(`${console_.url}/policy.schema.json`);
    expect(response.headers.get("content-type")).toMatch(/^application\/schema\+json/);
    expect(await response.json()).toMatchObject({ title: "Sallyport policy", properties: { usb: {} } });
  });

  test("nothing of it asked another host for anything or broke the pages' own rules", () =>
    expect(faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED|ERR_NETWORK/.test(fault))).toEqual([]));
});
