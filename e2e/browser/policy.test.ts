/** The policy editor in a real browser: form and text are one document; and a group that a repository is the source of. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeToken } from "../../apps/web/src/person/api-token.ts";
import { ROOT } from "../../packages/up/src/build.ts";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";

let console_: Console;
let page: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;
let text: Locator;
let form: Locator;

beforeAll(async () => {
  ({ console_, page, faults, fleet, stop } = await overFleet());
  text = page.getByLabel("Policy text");
  form = page.getByRole("region", { name: "Policy form" });
}, START_MS_MAX);
afterAll(() => stop?.());

const open = async (source: string) => {
  await page.goto(`/policy/${fleet.groups.finance}`);
  await text.fill(source);
};
const section = (name: string) => form.getByRole("tab", { name });
/** Runs in the page, whose globals this package's types do not have. */
const isFocused = (element: unknown): boolean =>
  element === (globalThis as unknown as { document: { activeElement: unknown } }).document.activeElement;
const textIs = (wanted: string) => expect.poll(() => text.inputValue(), { timeout: 30_000 }).toBe(wanted);

describe.skipIf(isAbsent())("the policy editor", () => {
  test("a change by the form is one in the text, where every comment stays; undoing it in the text is one in the form", async () => {
    await open(POLICY_TEMPLATE);
    await form.getByLabel("Infected files").selectOption("hold");
    const changed = POLICY_TEMPLATE.replace("infected: block #", "infected: hold #");
    await textIs(changed);
    await section("log").click();
    await form.getByLabel("Lines a second").fill("120");
    await textIs(changed.replace("linesPerSecond: 500 #", "linesPerSecond: 120 #"));
    await form.getByLabel("Lines a second").fill("");
    await textIs(changed.replace(/ {2}linesPerSecond: 500 #.*\n/, ""));
    await text.fill("log:\n  linesPerSecond: 77 # few\nusb:\n  unscannable: allow\n");
    await expect.poll(() => form.getByLabel("Lines a second").inputValue()).toBe("77");
    await section("usb").click();
    expect(await form.getByLabel("Unscannable files").inputValue()).toBe("allow");
    expect(faults).toEqual([]);
  });

  test("rules are added, written, moved and removed by the form, by keyboard alone where one likes", async () => {
    await open("usb: # of the floor\n  deviceRules:\n    - block id 1234:0001 # lost\n    - allow\n");
    await form.getByRole("button", { name: "Add a device rule", exact: true }).click();
    const third = form.getByLabel("Device rule 3", { exact: true });
    await expect.poll(() => third.evaluate(isFocused)).toBe(true);
    await page.keyboard.type("block id 1234:0003");
    await form.getByRole("button", { name: "Move device rule 3 up" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter"); // the keyboard went with it
    await textIs(
      'usb: # of the floor\n  deviceRules:\n    - "block id 1234:0003"\n    - block id 1234:0001 # lost\n    - allow\n',
    );
    await form.getByRole("button", { name: "Remove device rule 2" }).click();
    await textIs('usb: # of the floor\n  deviceRules:\n    - "block id 1234:0003"\n    - allow\n');
    await section("network").click();
    await form.getByRole("button", { name: "Add a network rule" }).click();
    await form.getByLabel("Network rule 1: Name").fill("web");
    await form.getByLabel("Network rule 1: Verdict").selectOption("allow");
    await form.getByLabel("Network rule 1: Ports").pressSequentially("443, 8000-8080");
    await form.getByRole("button", { name: "Add a time to network rule 1" }).click();
    await form.getByLabel("Network rule 1, time 1: mon").check();
    await form.getByLabel("Network rule 1, time 1: From").fill("08:00");
    await textIs(
      'usb: # of the floor\n  deviceRules:\n    - "block id 1234:0003"\n    - allow\nnetwork:\n  rules:\n    - name: "web"\n      verdict: allow\n      ports:\n        - "443"\n        - "8000-8080"\n      during:\n        - { days: ["mon"], from: "08:00" }\n',
    );
    await page.getByText("valid", { exact: true }).waitFor();
  });

  test("what is wrong is said at the field with its line, in the gutter, and in the list with its path", async () => {
    await open("log:\n  linesPerSecond: 500\n  burstLines: 9\n");
    await section("log").click();
    const lines = form.getByLabel("Lines a second");
    await lines.fill("many");
    await form.getByRole("alert").filter({ hasText: "line 2: a number is wanted here" }).waitFor();
    expect(await lines.getAttribute("aria-invalid")).toBe("true");
    await form.getByRole("tab", { name: /^log\s*1 fault$/ }).waitFor();
    await page.locator("[aria-hidden]").getByText("■ 2", { exact: true }).waitFor();
    const listed = page.getByRole("list", { name: "Faults" }).getByRole("button");
    expect(await listed.textContent()).toMatch(/■ 2:19 log\.linesPerSecond/);
    expect(await page.getByRole("button", { name: "Publish…" }).isDisabled()).toBe(true);
    await listed.click();
    expect(await text.evaluate((area) => (area as unknown as { selectionStart: number }).selectionStart)).toBe(23);
    await text.fill("usb:\n  deviceRules:\n    - allow idd 1\n");
    await section("usb").click();
    await form
      .getByRole("alert")
      .filter({ hasText: /line 3: column \d+/ })
      .waitFor();
    await text.fill("usb: [\n");
    await form.getByText(/The text cannot be read from line \d on: put it right there/).waitFor();
    await text.fill("usb: { infected: hold }\n");
    await expect.poll(() => form.getByLabel("Infected files").inputValue()).toBe("hold");
  });

  test("the difference is in words and counted, losses first, and what would cut all off is said before anything is signed", async () => {
    await open(
      POLICY_TEMPLATE.replace("    - allow with-interface equals { 08:06:62 }\n", "").replace(
        "unscannable: hold",
        "unscannable: allow",
      ),
    );
    const changes = page.getByRole("region", { name: "What it changes" });
    await changes.getByText("1 removed, 1 looser").waitFor();
    const [first, second] = await changes
      .getByRole("list", { name: "Changes" })
      .getByRole("listitem")
      .allTextContents();
    expect([first, second]).toEqual([
      expect.stringMatching(/usb, removed: device rule removed/),
      expect.stringMatching(/usb, looser: unscannable files: hold/),
    ]);
    await text.fill("usb: { deviceRules: [] }\n");
    await changes.getByRole("alert").filter({ hasText: "cuts every workstation off from USB" }).waitFor();
    await page.getByRole("button", { name: "Publish…" }).click();
    await page
      .getByRole("dialog")
      .getByRole("alert")
      .filter({ hasText: "cuts every workstation off from USB" })
      .waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
  });

  test("of two who edit at once the second is told, keeps her text, and publishes only when she says so", async () => {
    await open("log:\n  linesPerSecond: 41 # hers\n");
    const other = await page.context().newPage();
    await other.goto(`/policy/${fleet.groups.finance}`);
    await other.getByLabel("Policy text").fill("log:\n  linesPerSecond: 42\n");
    await other.getByRole("button", { name: "Publish…" }).click();
    await other.getByLabel("What changes, and why").fill("faster than she");
    await other.getByRole("button", { name: "Sign and publish" }).click();
    await other.getByRole("dialog").waitFor({ state: "detached" });
    await other.close();
    const told = page.getByRole("alert").filter({ hasText: /r\d+ was published while you wrote/ });
    await told.waitFor();
    await textIs("log:\n  linesPerSecond: 41 # hers\n");
    await page.getByRole("button", { name: "Publish…" }).click();
    await page.getByLabel("What changes, and why").fill("over it, unseen");
    await page.getByRole("button", { name: "Sign and publish" }).click();
    await page
      .getByRole("dialog")
      .getByText(/^■ Revision \d+ was published while you wrote\. Look at it first/)
      .waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await told.getByRole("button", { name: "publish yours over it" }).click();
    await told.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Publish…" }).click();
    await page.getByLabel("What changes, and why").fill("over it, looked at");
    await page.getByRole("button", { name: "Sign and publish" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByText("over it, looked at").first().waitFor();
    expect(faults).toEqual([]);
  });

  test("below 1280 pixels form and text are tabs over the same document", async () => {
    await page.setViewportSize({ width: 1100, height: 800 });
    try {
      await page.goto(`/policy/${fleet.groups.finance}`);
      await form.getByLabel("Infected files").selectOption("hold");
      expect(await text.isVisible()).toBe(false);
      await page.getByRole("tab", { name: "Form", exact: true }).press("ArrowRight");
      await text.waitFor();
      expect(await form.isVisible()).toBe(false);
      expect(await text.inputValue()).toContain("infected: hold");
    } finally {
      await page.setViewportSize({ width: 1280, height: 800 });
    }
  });

  test("a group that a pipeline applied only reads, says where to change it, and is taken back by an owner", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-policies-"));
    try {
      const { rows } = await console_.pool.query<{ id: string }>("SELECT id FROM person LIMIT 1");
      const { token } = await makeToken(console_.pool, {
        person: rows[0]!.id,
        name: "ci",
        scopes: ["policy:read", "policy:write"],
        days: 1,
      });
      mkdirSync(join(folder, "policies"));
      writeFileSync(join(folder, "policies/kiosk.yaml"), "# by the pipeline\nlog:\n  linesPerSecond: 250\n");
      const apply = () =>
        sallyport(
          folder,
          token,
          "policy",
          "apply",
          "policies",
          "--yes",
          "--message",
          "a kiosk",
          "--repository",
          "git.example.org/policies",
        );
      expect(await apply()).toMatchObject({ code: 0, out: "kiosk: r1 is signed and published.\n" });
      expect(await apply()).toMatchObject({ code: 0, out: expect.stringMatching(/^Nothing to do/) });
      await page.goto("/policy");
      const row = page.getByRole("row").filter({ hasText: "kiosk" });
      await row.getByText("git.example.org/policies").waitFor();
      await row.click();
      await page
        .getByRole("note")
        .filter({ hasText: /Read only: kiosk is managed from git\.example\.org\/policies\. Change its file there/ })
        .waitFor();
      expect(await text.getAttribute("readonly")).not.toBeNull();
      expect(await form.getByLabel("Infected files").isDisabled()).toBe(true);
      expect(await page.getByRole("button", { name: /^(Publish|Roll out)…$/ }).count()).toBe(0);
      await page.getByRole("button", { name: "Take it back…" }).click();
      await page.getByRole("dialog").getByLabel("Why").fill("the repository is away");
      await page.getByRole("button", { name: "Take it back", exact: true }).click();
      await page.getByRole("note").waitFor({ state: "detached" });
      await form.getByLabel("Infected files").selectOption("hold");
      await textIs("# by the pipeline\nlog:\n  linesPerSecond: 250\nusb:\n  infected: hold\n");
      await page.goto("/explore?kind=person.group-managed");
      await page
        .getByText(/took kiosk back from git\.example\.org\/policies: the repository is away/)
        .first()
        .waitFor();
      expect(faults).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function sallyport(cwd: string, token: string, ...args: string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [join(ROOT, "packages/cli/bin/sallyport.mjs"), ...args], {
    env: { ...process.env, SALLYPORT_TOKEN: token, SALLYPORT_URL: console_.url },
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out })));
}
