import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedGroup } from "../../apps/web/test/seed.ts";
import { ask as askPlainly, badInput } from "./bad-input.ts";
import { isAbsent, openBrowser, openPage, START_MS_MAX } from "./chromium.ts";
import { type Console, startConsole } from "./console.ts";
import { join, makeOwner, PASSWORD, signIn, signOut, totp } from "./people.ts";

let console_: Console;
let browser: Browser;
let owner: Page;
let ownerFaults: string[];
let secret = "";
let recovery: string[] = [];

beforeAll(async () => {
  browser = await openBrowser();
  console_ = await startConsole();
  const opened = await openPage(browser, console_.url);
  owner = opened.page;
  ownerFaults = opened.faults;
}, START_MS_MAX);
afterAll(async () => {
  await browser?.close();
  await console_?.stop();
});

const acts = async (): Promise<string[]> => {
  const { rows } = await console_.pool.query<{ kind: string; text: string }>(
    "SELECT kind, text FROM record r JOIN trail t ON t.num = r.trail WHERE t.workstation_id IS NULL ORDER BY index",
  );
  return rows.map(({ kind, text }) => `${kind}: ${text}`);
};

/** A mutation asked for by hand from a signed-in page, as somebody would who knows the address but not the button. */
const ask = (page: Page, path: string, input: unknown) =>
  page.evaluate(
    async ([to, body]) => {
      const response = await fetch(`/api/trpc/${to}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: body as string,
      });
      const answer = (await response.json()) as { error?: { message: string } };
      return { status: response.status, message: answer.error?.message };
    },
    [path, JSON.stringify(input)] as const,
  );

describe.skipIf(isAbsent())("people at the console", () => {
  test("before there is an owner every page leads to the set-up, which wants the code", async () => {
    const { page, context } = await openPage(browser, console_.url);
    await page.goto("/explore");
    await page.waitForURL("**/setup");
    await page.getByText("no owner yet").waitFor();
    await page.goto("/setup?code=not-the-code-at-all");
    await page.getByText("This link does not work").waitFor();
    await context.close();
  });

  test("the printed code makes the first owner, once", async () => {
    await makeOwner(owner, console_.setupUrl);
    await owner.getByText("Set up a second factor now").waitFor();
    const { page, context } = await openPage(browser, console_.url);
    await page.goto(console_.setupUrl);
    await page.getByText("This link does not work").waitFor();
    await context.close();
  });

  test("a second factor is enrolled by QR code, proved by a code, and gives recovery codes", async () => {
    await owner.getByLabel("Your password").fill(PASSWORD);
    await owner.getByRole("button", { name: "Set up an authenticator" }).click();
    await owner.getByRole("img", { name: "QR code" }).waitFor();
    secret = (await owner.locator("[data-secret]").textContent()) ?? "";
    await owner.getByLabel("The code it shows now").fill("000000");
    await owner.getByRole("button", { name: "Turn it on" }).click();
    await owner.getByText("That code is not right").waitFor();
    await owner.getByLabel("The code it shows now").fill(totp(secret));
    await owner.getByRole("button", { name: "Turn it on" }).click();
    await owner.getByText("They are not shown again").waitFor();
    recovery = await owner.getByRole("list", { name: "Recovery codes" }).getByRole("listitem").allTextContents();
    expect(recovery).toHaveLength(10);
    await owner.getByRole("button", { name: "I have kept them" }).click();
  });

  test("signing in then takes password and code, or a recovery code that works once", async () => {
    await signOut(owner);
    await signIn(owner, "ada@example.org", "not the password at all");
    await owner.getByText("do not belong together").waitFor();
    await signIn(owner, "ada@example.org");
    await owner.getByLabel("Code from your authenticator").fill(totp(secret));
    await owner.getByRole("button", { name: "Continue" }).click();
    await owner.waitForURL(`${console_.url}/`);
    await signOut(owner);
    for (const works of [true, false]) {
      await signIn(owner, "ada@example.org");
      await owner.getByRole("button", { name: "Use a recovery code instead" }).click();
      await owner.getByLabel("One of your recovery codes").fill(recovery[0] ?? "");
      await owner.getByRole("button", { name: "Continue" }).click();
      if (!works) {
        await owner.getByText("not one of your unused recovery codes").waitFor();
        continue;
      }
      await owner.waitForURL(`${console_.url}/`);
      await signOut(owner);
    }
    await owner.goto("/sign-in");
    await signIn(owner, "ada@example.org");
    await owner.getByLabel("Code from your authenticator").fill(totp(secret));
    await owner.getByRole("button", { name: "Continue" }).click();
    await owner.waitForURL(`${console_.url}/`);
  });

  test("an owner adds a viewer by a link, and the viewer is refused an admin's acts, in the page and behind it", async () => {
    await owner.goto("/people");
    await owner.getByRole("button", { name: "Add a person" }).click();
    await owner.getByLabel("Name").fill("Vic Viewer");
    await owner.getByLabel("E-mail").fill("vic@example.org");
    await owner.getByRole("button", { name: "Make the link" }).click();
    const link = (await owner.locator("[data-shown-once]").textContent()) ?? "";

    const { page, context, faults } = await openPage(browser, console_.url);
    await page.goto(link);
    await join(page, "Join");
    const group = await seedGroup(console_.pool, "laboratory", new Uint8Array(32));
    expect(await page.getByRole("link", { name: "People" }).count()).toBe(0);
    expect(await page.getByRole("link", { name: "Enrol", exact: true }).count()).toBe(0);
    await page.goto(`/policy/${group}`);
    await page.getByText("your role reads it").waitFor();
    expect(await page.getByRole("button", { name: "Publish" }).count()).toBe(0);
    const refused = { status: 403, message: "As viewer you may not write and publish policy." };
    const publishing = { group, source: "", message: "loosen", basedOn: 0 };
    expect(await ask(page, "policy.publish", publishing)).toEqual(refused);
    expect(await ask(page, "enrol.make", { group, labels: [], uses: 1, hours: 1 })).toMatchObject({ status: 403 });
    expect(await ask(page, "person.add", { name: "x", email: "x@example.org", role: "owner" })).toMatchObject({
      status: 403,
    });
    expect((await console_.pool.query("SELECT 1 FROM publication")).rowCount).toBe(0);
    expect(faults).toEqual([]);
    await context.close();
  });

  test("a person who lost the way in is let in again by an owner: the old password is gone, a link sets a new one", async () => {
    await owner.goto("/people");
    const row = owner.getByRole("row", { name: /vic@example.org/ });
    await row.getByRole("button", { name: "Reset sign-in…" }).click();
    await owner.getByText("every session of theirs ends").waitFor();
    await owner.getByRole("button", { name: "Reset the sign-in" }).click();
    const link = (await owner.locator("[data-shown-once]").textContent()) ?? "";
    await owner.getByRole("button", { name: "Done" }).click();
    await row.getByText("waits for a new password").waitFor();
    const { page, context } = await openPage(browser, console_.url);
    await signIn(page, "vic@example.org");
    await page.getByText("do not belong together").waitFor();
    await page.goto(link);
    await page.getByText("Your sign-in was reset").waitFor();
    await join(page, "Set the password");
    await owner.goto("/people");
    await row.getByText("password alone").waitFor();
    expect(await row.getByRole("button").count()).toBe(2);
    await context.close();
  });

  test("switching a person off ends their session at once", async () => {
    const { page, context } = await openPage(browser, console_.url);
    await signIn(page, "vic@example.org");
    await page.waitForURL(`${console_.url}/`);
    await owner.goto("/people");
    await owner
      .getByRole("row", { name: /vic@example.org/ })
      .getByRole("button", { name: "Switch off" })
      .click();
    await owner.getByRole("button", { name: "Switch on" }).waitFor();
    await page.goto("/explore");
    await page.waitForURL("**/sign-in");
    await signIn(page, "vic@example.org");
    await page.getByText("switched off").waitFor();
    await context.close();
  });

  test("bad input is answered with a clear 4xx, and no failure", async () => {
    expect(await ask(owner, "policy.publish", { group: "x" })).toMatchObject({ status: 400 });
    expect(await ask(owner, "policy.publish", "[[[")).toMatchObject({ status: 400 });
    expect(await ask(owner, "alert.triage", { id: 9_999_999, state: "closed", note: "gone" })).toEqual({
      status: 404,
      message: "There is no such alert.",
    });
    expect(await ask(owner, "no.such", {})).toMatchObject({ status: 404 });
    await owner.goto("/usb/0/-1");
    await owner.getByText("nothing at this address").waitFor();
  });

  test("what no page would ask is told what is wrong with it, and by a token's holder as well", async () => {
    const wrong: string[] = [];
    for (const [what, asking, status, sentence] of badInput(console_.url)) {
      const answer = await askPlainly(console_.url, asking);
      if (answer.status !== status || !sentence.test(answer.text)) wrong.push(`${what}: ${JSON.stringify(answer)}`);
    }
    expect(wrong).toEqual([]);
    const made = await owner.evaluate(async () => {
      const body = JSON.stringify({ name: "probe", scopes: ["export"], days: 1 });
      const headers = { "content-type": "application/json" };
      const response = await fetch("/api/trpc/token.make", { method: "POST", headers, body });
      return (await response.json()) as { result: { data: { token: string } } };
    });
    const headers = { authorization: `Bearer ${made.result.data.token}` };
    for (const name of ["%25zz", "%2500", "%252e%252e%252f", "%F0%9F%92%BE"])
      expect(await askPlainly(console_.url, { path: `/api/export/${name}`, headers })).toEqual({
        status: 404,
        text: expect.stringMatching(/There is no workstation .+ with a trail\./),
      });
  });

  test("NUL in the address of a page is no failure of the page", async () => {
    const cookies = await owner.context().cookies();
    const headers = { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; ") };
    const paths = ["explore?text=", "explore?open=", "workstations?search=", "workstations/", "usb?hash=", "policy/"];
    for (const path of [...paths, "rollouts/", "usb/1/"]) {
      const { status, text } = await askPlainly(console_.url, { path: `/${path}%00`, headers });
      expect([200, 404], `${path}: ${text.slice(0, 200)}`).toContain(status);
    }
  });

  test("every act is on the console's own trail, under the name of who did it", async () => {
    const kinds = (await acts()).map((line) => line.split(":")[0]);
    for (const kind of [
      "person.joined",
      "person.signed-in",
      "person.signed-out",
      "person.sign-in-refused",
      "person.two-factor-added",
      "person.invited",
      "person.switched-off",
      "person.sign-in-reset",
      "person.password-set",
    ])
      expect(kinds).toContain(kind);
    expect((await acts()).find((line) => line.startsWith("person.switched-off"))).toMatch(
      /^person.switched-off: ada@example.org switched vic@/,
    );
  });

  test("pages asked nothing of any other host, and broke none of their own content security policy", () => {
    expect(ownerFaults).toEqual([]);
  });
});
