/** What must not spread is blocked from where it was met, seen to arrive, and lifted. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import { overFleet } from "./over-fleet.ts";

describe.skipIf(isAbsent())("blocked everywhere", () => {
  let made: Console;
  let page: Page;
  let stop: (() => Promise<void>) | undefined;
  let faults: string[];

  beforeAll(async () => {
    ({ console_: made, page, faults, stop } = await overFleet());
  }, START_MS_MAX);
  afterAll(async () => {
    await stop?.();
    expect(faults ?? []).toEqual([]);
  });

  const row = (words: string | RegExp) => page.getByRole("row").filter({ hasText: words });

  it("a file of a scan is blocked from its row, and the page shows how many workstations have it", async () => {
    const { rows } = await made.pool.query<{ trail: number; index: string }>(
      "SELECT trail, index FROM scan WHERE verdict = 'block' LIMIT 1",
    );
    await page.goto(`/usb/${rows[0]!.trail}/${rows[0]!.index}`);
    await page.getByRole("row").nth(1).click();
    await page.getByRole("button", { name: "Block this everywhere…" }).click();
    const what = page.getByLabel("What", { exact: true });
    const hash = await what.inputValue();
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    await page.getByLabel("Why", { exact: true }).fill("ransomware, seen at the other site");
    await page.getByRole("button", { name: "Sign and block" }).click();
    await page.getByText(/is blocked on the whole fleet/).waitFor();
    await page.getByRole("link", { name: /^Blocked/ }).click();
    await row(hash)
      .getByText(/0 of \d+ connected have it/)
      .waitFor();
    const { rows: made_ } = await made.pool.query('SELECT "order" FROM overlay');
    expect(made_).toHaveLength(1);
    await made.pool.query(
      `UPDATE reported SET document = document || jsonb_build_object('overlays', jsonb_build_array(jsonb_build_object(
         'audience', 'fleet', 'order', $1::bigint, 'digest', repeat('0', 64), 'entries', 1, 'usb', '{"outcome":"applied"}'::jsonb)))`,
      [made_[0].order],
    );
    await row(hash)
      .getByText(/[1-9]\d* of \d+ connected ha(?:ve|s) it/)
      .waitFor();
  });

  it("what is no address says why, a network as wide as the world is refused, and one workstation can be named", async () => {
    await page.goto("/deny");
    await page.getByRole("button", { name: "Block something…" }).click();
    const what = page.getByLabel("What", { exact: true });
    for (const [text, words] of [
      ["0.0.0.0/0", /wider than \/8/],
      ["allow id 0951:1666", /begins with block/],
      ["nothing of the kind", /no sha256, no rule/],
    ] as const) {
      await what.fill(text);
      await page.getByText(words).waitFor();
      expect(await page.getByRole("button", { name: "Sign and block" }).isDisabled()).toBe(true);
    }
    await what.fill("bad.example:8443");
    await page.getByText(/running connections included: bad\.example port 8443/).waitFor();
    await page.getByLabel("For", { exact: true }).selectOption("workstation");
    await page.getByLabel("Workstation", { exact: true }).fill("lab-07");
    await page.getByLabel("Why", { exact: true }).fill("beacon");
    await page.getByRole("button", { name: "Sign and block" }).click();
    await row("bad.example port 8443").getByText("lab-07").waitFor();
  });

  it("it is lifted with a reason, and both acts are on the trail", async () => {
    await row("bad.example port 8443").click();
    await page.getByRole("button", { name: "Lift…" }).click();
    await page.getByLabel("Why", { exact: true }).fill("a mistake");
    await page.getByRole("button", { name: "Sign and lift" }).click();
    await row("bad.example port 8443").getByText("lifted", { exact: true }).waitFor();
    const { rows } = await made.pool.query<{ kind: string }>(
      "SELECT kind FROM record WHERE kind IN ('person.denied', 'person.deny-lifted') ORDER BY index",
    );
    expect(rows.map(({ kind }) => kind)).toEqual(["person.denied", "person.denied", "person.deny-lifted"]);
  });

  it("the far side of an alert is blocked from its story", async () => {
    await page.goto("/explore?kind=ids.alert");
    await page.getByRole("row").nth(1).click();
    const offers = page.getByRole("region", { name: "Block" });
    await offers.getByRole("button", { name: "Block this everywhere…" }).first().click();
    expect(await page.getByLabel("What", { exact: true }).inputValue()).toMatch(/^[0-9a-f.:[\]]+$/);
    await page.getByRole("button", { name: "Cancel" }).click();
  });
});
