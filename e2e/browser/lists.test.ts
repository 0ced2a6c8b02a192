/** What who works with lists all day does to them: moves by keys, opens in tabs, narrows, shares an address, looks up. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import { seedDenies } from "./denies.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";
import { seedRollouts } from "./rollouts.ts";

let console_: Console;
let owner: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;

beforeAll(async () => {
  ({ console_, page: owner, faults, fleet, stop } = await overFleet());
}, START_MS_MAX);
afterAll(() => stop?.());

/** A batch's answer while the database is away. */
const AWAY = [
  {
    error: {
      message: "The database does not answer. Nothing was changed; try again.",
      code: -32603,
      data: { code: "SERVICE_UNAVAILABLE", httpStatus: 503 },
    },
  },
];

const row = (page: Page, text: string | RegExp) => page.getByRole("row").filter({ hasText: text });
/** On a machine that has much else to do. */
const SOON = { timeout: 60_000 };
const title = (page: Page, text: string | RegExp) => expect.poll(() => page.title(), SOON).toMatch(text);

/** The scan of the stick with an infected and an unscannable file. */
async function blocked(): Promise<{ path: string; sha256: string }> {
  const { rows } = await console_.pool.query<{ trail: number; index: string; image_sha256: string }>(
    "SELECT trail, index, image_sha256 FROM scan WHERE source LIKE 'SanDisk%'",
  );
  return { path: `/usb/${rows[0]!.trail}/${rows[0]!.index}`, sha256: rows[0]!.image_sha256 };
}

describe.skipIf(isAbsent())("lists", () => {
  test("j and k move over rows that have a page of their own, and only Enter leaves for it; the tab is named after it", async () => {
    await owner.goto("/workstations");
    await row(owner, "fin-02").waitFor();
    for (const key of ["j", "j", "k", "j"]) await owner.keyboard.press(key);
    await expect.poll(() => owner.locator('[role="row"][aria-current="true"]').textContent(), SOON).toContain("fin-03");
    expect(new URL(owner.url()).pathname).toBe("/workstations");
    await title(owner, /^Workstations · Sallyport$/);
    await owner.keyboard.press("Enter");
    await owner.waitForURL(`**/workstations/${fleet.workstations.get("fin-03")}`);
    await title(owner, /^fin-03 · Sallyport$/);
    await owner.goBack();
    await title(owner, /^Workstations · Sallyport$/);
  });

  test("a row is a link: Ctrl opens its page in another tab, and marking its text opens nothing", async () => {
    await owner.goto("/workstations");
    const link = row(owner, "fin-02").getByRole("link", { name: "fin-02" });
    expect(await link.getAttribute("href")).toBe(`/workstations/${fleet.workstations.get("fin-02")}`);
    const coming = owner.context().waitForEvent("page");
    await row(owner, "fin-02")
      .getByText("finance")
      .click({ modifiers: ["ControlOrMeta"] });
    const tab = await coming;
    await tab.waitForURL(`**/workstations/${fleet.workstations.get("fin-02")}`);
    await tab.close();
    expect(new URL(owner.url()).pathname).toBe("/workstations");
    const { x, y, width, height } = (await row(owner, "fin-02").getByText("finance").boundingBox())!;
    await owner.mouse.move(x + 1, y + height / 2);
    await owner.mouse.down();
    await owner.mouse.move(x + width - 1, y + height / 2, { steps: 4 });
    await owner.mouse.up();
    expect(await owner.evaluate("String(getSelection()).trim()")).toMatch(/^financ/);
    expect(new URL(owner.url()).pathname).toBe("/workstations");
    await row(owner, "fin-02").getByText("IOMMU").click();
    await owner.waitForURL(`**/workstations/${fleet.workstations.get("fin-02")}`);
  });

  test("a count on the overview lists just those workstations; what is chosen at a column's head stands in the address", async () => {
    await owner.goto("/");
    await owner.getByRole("link", { name: /silent/ }).click();
    await owner.waitForURL("**/workstations?status=silent");
    await row(owner, "fin-04").waitFor();
    expect(await owner.getByRole("row").count()).toBe(2); // with the heads
    await owner.getByRole("combobox", { name: "Isolation" }).selectOption("no hypervisor");
    await owner.waitForURL("**/workstations?status=silent&isolation=no-hypervisor");
    await owner.getByText("No workstation matches").waitFor();
    await owner.goBack();
    await row(owner, "fin-04").waitFor();
    await owner.getByRole("combobox", { name: "Status" }).selectOption("Status: every");
    await owner.getByRole("combobox", { name: "Group" }).selectOption("laboratory");
    await row(owner, "lab-12").waitFor();
    await row(owner, "fin-04").waitFor({ state: "detached" });
    const address = owner.url();
    await owner.goto("/");
    await owner.goto(address);
    await row(owner, "lab-12").waitFor();
    expect(await row(owner, "fin-02").count()).toBe(0);
    expect(await owner.getByRole("combobox", { name: "Group" }).inputValue()).toBe(fleet.groups.laboratory);
  });

  test("on a narrow screen a list is moved sideways, and nothing of it is out of reach", async () => {
    await owner.setViewportSize({ width: 900, height: 700 });
    await owner.goto("/workstations");
    const policy = row(owner, "lab-07").getByText(/r\d+/);
    await policy.scrollIntoViewIfNeeded();
    const box = await policy.boundingBox();
    expect(box!.x + box!.width).toBeLessThanOrEqual(900);
    await owner.setViewportSize({ width: 1280, height: 800 });
  });

  test("on a narrow screen a verdict, and what a scan found, stand beside their subject, and no table leaves its card", async () => {
    await owner.setViewportSize({ width: 900, height: 700 });
    await owner.goto((await blocked()).path);
    const finding = row(owner, "geheim.7z").getByText("unscannable");
    await finding.waitFor();
    const box = (await finding.boundingBox())!;
    expect(box.x + box.width).toBeLessThanOrEqual(900);
    await owner.goto(`/workstations/${fleet.workstations.get("lab-07")}`);
    await owner.getByRole("heading", { name: "Trails" }).waitFor();
    const wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await owner.evaluate(wide)).toBeLessThanOrEqual(0);
    await owner.setViewportSize({ width: 1280, height: 800 });
  });

  test("a scan shows first what is not clean, says where else, and its open file stands in the address", async () => {
    const scan = await blocked();
    await owner.goto("/usb");
    await row(owner, "SanDisk").getByText("1 unscannable").waitFor();
    await row(owner, "SanDisk").click();
    await owner.waitForURL(`**${scan.path}`);
    await title(owner, /^SanDisk Ultra 32 GB, block on lab-07 · Sallyport$/);
    await row(owner, "clean").first().waitFor();
    const found = await owner.getByRole("row").allTextContents();
    expect(found[1]).toContain("infected");
    expect(found[2]).toContain("unscannable");
    expect(found[3]).toContain("clean");
    await owner.keyboard.press("j");
    await owner.waitForURL("**?file=*");
    await owner.reload();
    const details = owner.getByRole("region", { name: "Details" });
    await details.getByText("infected").waitFor();
    await details.getByRole("link", { name: "seen elsewhere?" }).last().click();
    await owner.getByText(/^Seen as a file, 2 times, on 2 workstations\.$/).waitFor();
    await owner.goto(scan.path);
    await owner.getByRole("link", { name: "its sticks" }).click();
    await row(owner, "SanDisk").waitFor();
    await row(owner, "Kingston").waitFor({ state: "detached" });
    await owner.getByRole("button", { name: "Of every workstation" }).click();
    await row(owner, "Kingston").waitFor();
  });

  test("the hash of a whole image leads to the sticks that have it, though no file does", async () => {
    const scan = await blocked();
    await owner.goto(`/usb?hash=${scan.sha256}`);
    await owner.getByText("the whole image of a stick, 2 times, on 2 workstations").waitFor();
    await row(owner, "SanDisk").getByRole("link", { name: "the whole image" }).click();
    await owner.waitForURL(`**${scan.path}`);
  });

  test("alerts are narrowed, one after the other is triaged, and one that is linked is found wherever it is", async () => {
    await owner.goto("/alerts");
    await row(owner, "Kingston").waitFor();
    await owner.getByLabel("Severity").selectOption("error or worse");
    await row(owner, "Kingston").waitFor({ state: "detached" });
    await owner.getByLabel("Kind").selectOption("ids.alert");
    await owner.waitForURL("**/alerts?state=open&kind=ids.alert&severity=error");
    await row(owner, "SanDisk").waitFor({ state: "detached" });
    const left = (await row(owner, "ET MALWARE").count()) - 1;
    expect(left).toBeGreaterThan(0);
    await owner.keyboard.press("j");
    await owner.waitForURL("**&open=*");
    const first = new URL(owner.url()).searchParams.get("open");
    const drawer = owner.getByRole("complementary", { name: "Details" });
    await drawer.getByLabel("Note").fill("known: the red team of this week");
    await drawer.getByRole("button", { name: "Acknowledge" }).click();
    await owner.waitForURL((url) => ![null, first].includes(url.searchParams.get("open")));
    await expect.poll(() => row(owner, "ET MALWARE").count(), SOON).toBe(left);
    await drawer.getByRole("button", { name: "Acknowledge" }).waitFor(); // the next one, still open
    await owner.goto(`/alerts?state=open&open=${first}`);
    await drawer.getByText("known: the red team of this week").waitFor();
    const name = await drawer.locator("dd a").first().textContent();
    await drawer.getByRole("link", { name: "all its alerts" }).click();
    await owner.waitForURL("**/alerts?state=all&workstation=*");
    await owner.getByRole("button", { name: "Of every workstation" }).waitFor();
    const others = async () =>
      (await owner.getByRole("row").allTextContents()).slice(1).filter((text) => !text.includes(name!));
    await expect.poll(others, SOON).toEqual([]);
    await row(owner, name!).first().waitFor();
  });

  test("alerts that belong together are triaged together, with one note and a record of each", async () => {
    await owner.goto("/alerts?severity=error");
    await row(owner, "SanDisk").waitFor();
    const left = (await row(owner, "ET MALWARE").count()) - 3;
    expect(left).toBeGreaterThanOrEqual(0);
    for (const at of [0, 1]) await row(owner, "ET MALWARE").nth(at).getByRole("checkbox").check();
    const note = owner.getByLabel("Note for all that are chosen");
    await owner.getByRole("combobox", { name: "Kind" }).selectOption("usb.scan");
    await row(owner, "ET MALWARE").first().waitFor({ state: "detached" });
    expect(await note.count()).toBe(0); // nobody sees them here
    await owner.goBack();
    await note.fill("one exercise, seen on both");
    // somebody else is faster with a third that was chosen: it is left as they left it
    const third = row(owner, "ET MALWARE").nth(2);
    await third.getByRole("checkbox").check();
    await owner.getByText("3 chosen").waitFor();
    const { rows: taken } = await console_.pool.query<{ id: string }>(
      `UPDATE alert SET state = 'acknowledged' WHERE id = (SELECT id FROM alert WHERE state = 'open'
         AND title LIKE 'ET MALWARE%' AND severity >= 4 ORDER BY id DESC OFFSET 2 LIMIT 1) RETURNING id`,
    );
    await owner.getByText("1 more not listed now, left as they are").waitFor();
    await owner.getByText("2 chosen").waitFor();
    // the console is away for the second of them
    let asked = 0;
    await owner.route(/alert\.triage/, (route) => (++asked === 2 ? route.fulfill({ json: AWAY }) : route.continue()));
    await owner.getByRole("button", { name: "Close 2" }).click();
    await owner.getByText("1 chosen").waitFor();
    expect(await note.inputValue()).toBe("one exercise, seen on both");
    await owner.unroute(/alert\.triage/);
    await owner.getByRole("button", { name: "Close 1" }).click();
    await expect.poll(() => row(owner, "ET MALWARE").count(), SOON).toBe(left);
    await owner.getByLabel("Note for all that are chosen").waitFor({ state: "detached" });
    const { rows } = await console_.pool.query("SELECT 1 FROM record WHERE kind = 'person.alert-closed'");
    expect(rows).toHaveLength(2);
    await owner.goto("/alerts?state=closed");
    await row(owner, "ET MALWARE").first().click();
    await owner.getByText("one exercise, seen on both").waitFor();
    expect(await owner.getByRole("checkbox").count()).toBe(0);
    const { rows: now } = await console_.pool.query("SELECT state FROM alert WHERE id = $1", [taken[0]!.id]);
    expect(now).toEqual([{ state: "acknowledged" }]);
  });

  test("from a value of a record all others with it are found, and what was opened stands in the address", async () => {
    await owner.goto("/explore?kind=ids.alert");
    await row(owner, "ET MALWARE").first().waitFor();
    await owner.keyboard.press("j");
    const drawer = owner.getByRole("complementary", { name: "Details" });
    await drawer.getByRole("tab", { name: "Record" }).click();
    await owner.waitForURL("**&tab=record");
    await owner.reload();
    await drawer.getByRole("button", { name: "203.0.113.66" }).click();
    await owner.waitForURL("**/explore?kind=ids.alert&text=203.0.113.66&open=*&tab=record");
    await title(owner, /^kind:ids\.alert text:203\.0\.113\.66, records · Sallyport$/);
    await owner.getByRole("button", { name: "Remove kind:" }).click();
    await row(owner, "dropped 203.0.113.66:8443").first().waitFor();
    expect(await drawer.getByRole("button", { name: "1889216389123456789" }).count()).toBe(0); // stands in no line
    await drawer.getByRole("link", { name: "its page" }).click();
    await owner.waitForURL("**/workstations/*");
  });

  test("a list is sorted at a column's head, by its address again, and anew at the other end of the order", async () => {
    const head = (name: string) => owner.getByRole("columnheader", { name });
    const names = () => owner.getByRole("row").locator("a").allTextContents();
    await owner.goto("/workstations");
    await row(owner, "fin-02").waitFor();
    expect(await head("Workstation").getAttribute("aria-sort")).toBe("ascending");
    expect(await head("Group").getAttribute("aria-sort")).toBeNull();
    await head("Spool").getByRole("button").click();
    await owner.waitForURL("**/workstations?sort=-spool");
    await expect.poll(async () => (await names())[0], SOON).toContain("fin-04"); // 18,204 wait there
    expect(await head("Spool").getAttribute("aria-sort")).toBe("descending");
    await owner.getByRole("combobox", { name: "Group" }).selectOption("laboratory");
    await owner.waitForURL(/\?group=.*&sort=-spool$/);
    await expect.poll(async () => (await names())[0], SOON).toContain("lab-12");
    await owner.reload();
    await expect.poll(async () => (await names())[0], SOON).toContain("lab-12");
    await head("Spool").getByRole("button").focus();
    await owner.keyboard.press("Enter");
    await owner.waitForURL(/&sort=spool$/);
    await expect.poll(async () => (await names()).at(-1), SOON).toContain("lab-12");
    await owner.getByRole("button", { name: "Of every group" }).click();
    await expect.poll(async () => (await names()).length, SOON).toBeGreaterThan(6);

    await owner.goto("/alerts?state=all");
    await row(owner, "ET MALWARE").first().waitFor();
    const severities = async () =>
      (await owner.getByRole("row").allTextContents()).flatMap((text) => /critical|error|warning/.exec(text) ?? []);
    await head("Severity").getByRole("button").click();
    await owner.waitForURL("**/alerts?state=all&sort=-severity");
    await expect.poll(severities, SOON).toEqual([...(await severities())].sort());
    await head("Severity").getByRole("button").click();
    await owner.waitForURL("**/alerts?state=all&sort=severity");
    await expect.poll(async () => (await severities())[0], SOON).toBe("warning");

    await owner.goto("/usb");
    await row(owner, "SanDisk").waitFor();
    await head("Not clean").getByRole("button").click();
    await owner.waitForURL("**/usb?sort=-not-clean");
    await expect.poll(() => owner.getByRole("row").nth(1).textContent(), SOON).toContain("infected");

    await owner.goto("/people");
    await head("Seen").getByRole("button").click();
    await owner.waitForURL("**/people?sort=-seen");
    await expect.poll(() => head("Seen").getAttribute("aria-sort"), SOON).toBe("descending");
    await row(owner, "ada@example.org").waitFor();
  });

  test("a year that no moment has is told in the form, which stays open", async () => {
    await owner.goto("/explore");
    await owner.getByLabel("Received since").selectOption("Between…");
    await owner.getByLabel("From").fill("12026-11-24T10:00:00");
    await owner.getByRole("button", { name: "Show", exact: true }).click();
    await owner.getByText("this is no moment of the years 1 to 9999").waitFor();
    await owner.getByLabel("From").fill("2020-11-24T10:00:00");
    await owner.getByRole("button", { name: "Show", exact: true }).click();
    await owner.waitForURL("**/explore?since=2020-11-24T10*");
  });

  test("arrows move over the rows of a list, and scroll what stands beside it; j and k move from anywhere", async () => {
    await owner.goto("/alerts?state=all");
    await row(owner, "ET MALWARE").first().waitFor();
    await owner.keyboard.press("ArrowDown");
    await owner.waitForURL("**&open=*");
    const open = () => new URL(owner.url()).searchParams.get("open");
    const first = open();
    await owner.getByRole("tabpanel").focus();
    await owner.keyboard.press("ArrowDown");
    expect(open()).toBe(first);
    await owner.keyboard.press("j");
    await expect.poll(open, SOON).not.toBe(first);
  });

  test("Enter opens a row, and once more goes on into its details, where Tab leads to what can be done", async () => {
    await owner.goto("/alerts");
    await row(owner, "SanDisk").waitFor();
    await owner.keyboard.press("j");
    await owner.waitForURL("**&open=*");
    const details = owner.getByRole("complementary", { name: "Details" });
    await details.getByLabel("Note").waitFor();
    await owner.keyboard.press("Enter");
    const isFocused = (page: Page) => page.evaluate("document.activeElement?.matches('[data-details]')");
    await expect.poll(() => isFocused(owner), SOON).toBe(true);
    await owner.keyboard.press("Tab");
    expect(await owner.evaluate("document.activeElement?.closest('[data-details]') !== null")).toBe(true);
    await owner.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
    await row(owner, "SanDisk").focus();
    await owner.keyboard.press("Enter");
    await details.waitFor();
    expect(await isFocused(owner)).toBe(false);
    await owner.keyboard.press("Enter");
    await expect.poll(() => isFocused(owner), SOON).toBe(true);
  });

  test("kinds are offered by their noun, each by its whole name, and all of a noun at once", async () => {
    await owner.goto("/explore");
    const filters = owner.getByRole("complementary", { name: "Filters" });
    await filters.getByRole("button", { name: "ids.*", exact: true }).click();
    await owner.waitForURL("**/explore?kind=ids.*");
    await row(owner, "ids.event").first().waitFor();
    await row(owner, "guest.log").first().waitFor({ state: "detached" });
    await filters.getByRole("button", { name: "ids.event", exact: true }).waitFor();
  });

  test("bars over time count what the search matches; a click, a drag or the keyboard narrows the time to some of them", async () => {
    await owner.goto("/explore?kind=ids.alert");
    await row(owner, "ET MALWARE").first().waitFor();
    const { rows } = await console_.pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM record WHERE kind = 'ids.alert'",
    );
    const chart = owner.getByRole("region", { name: "Over time" });
    await chart.getByText(`${rows[0]!.n} records`, { exact: true }).waitFor();
    const bars = owner.getByRole("slider", { name: "Records over time" });
    const listed = () => owner.getByRole("row").filter({ hasText: "ET MALWARE" }).count();
    const all = await listed();
    const { x, y, width, height } = (await bars.boundingBox())!;
    const records = await chart
      .locator("rect[data-records]")
      .evaluateAll((each) => each.map((bar) => Number(bar.getAttribute("data-records"))));
    expect(records.reduce((sum, each) => sum + each, 0)).toBe(rows[0]!.n);
    const middleOf = (bar: number) => x + ((bar + 0.5) / records.length) * width;
    const first = records.findIndex((each) => each > 0);
    await owner.mouse.click(middleOf(first), y + height / 2);
    await owner.waitForURL("**/explore?kind=ids.alert&since=*&until=*");
    await expect.poll(listed, SOON).toBe(records[first]);
    await owner.goBack();
    await expect.poll(listed, SOON).toBe(all);
    await owner.mouse.move(middleOf(first), y + 2);
    await owner.mouse.down();
    await owner.mouse.move(middleOf(records.length - 1), y + 2, { steps: 4 });
    await owner.mouse.up();
    await owner.waitForURL("**/explore?kind=ids.alert&since=*&until=*");
    await expect.poll(listed, SOON).toBe(all);
    await owner.goBack();
    await expect.poll(() => new URL(owner.url()).search, SOON).toBe("?kind=ids.alert");
    await bars.focus();
    await owner.keyboard.press("Home");
    for (let at = 0; at < first; at++) await owner.keyboard.press("ArrowRight");
    await expect
      .poll(() => bars.getAttribute("aria-valuetext"), SOON)
      .toMatch(new RegExp(`: ${records[first]} records?$`));
    await owner.keyboard.press("Shift+End");
    await expect.poll(() => bars.getAttribute("aria-valuetext"), SOON).toMatch(new RegExp(`: ${rows[0]!.n} records$`));
    await owner.keyboard.press("Enter");
    await owner.waitForURL("**/explore?kind=ids.alert&since=*&until=*");
    await expect.poll(listed, SOON).toBe(all);
    expect(await owner.getByRole("complementary", { name: "Details" }).count()).toBe(0);
    await owner.getByRole("button", { name: "Live" }).click();
    await chart.waitFor({ state: "detached" });
  });

  test("around a record stands what its workstation said then; a time between two moments is asked for in the browser's own", async () => {
    await owner.goto("/explore?kind=ids.alert");
    await row(owner, "ET MALWARE").first().waitFor();
    await owner.keyboard.press("j");
    const drawer = owner.getByRole("complementary", { name: "Details" });
    await drawer.getByRole("link", { name: "±1 min" }).first().click();
    await owner.waitForURL("**/explore?workstation=*&since=*&until=*&open=*");
    await row(owner, "ids.event").or(row(owner, "win.example-cdn.net")).first().waitFor();
    const range = owner.getByLabel("Received since");
    expect(await range.locator("option:checked").textContent()).toBe("Between two moments");
    await owner
      .getByText(/^\d+ \w+, \d\d:\d\d:\d\d \S+$/)
      .first()
      .waitFor(); // a chip: the browser's time, its zone named
    await range.selectOption("Between…");
    const dialog = owner.getByRole("dialog");
    await dialog.getByLabel("From").fill("2020-01-02T03:04:05");
    await dialog.getByLabel("Until").fill("2020-01-01T03:04:05");
    await dialog.getByRole("button", { name: "Show" }).click();
    await dialog.getByText("the end comes before the beginning").waitFor();
    await dialog.getByLabel("Until").fill("2020-01-03T03:04:05");
    await dialog.getByRole("button", { name: "Show" }).click();
    await owner.getByText("No record matches").waitFor();
    const asked = new URL(owner.url()).searchParams;
    const own = (typed: string) => owner.evaluate((text) => new Date(text).toISOString(), typed);
    expect(asked.get("since")).toBe(await own("2020-01-02T03:04:05"));
    expect(asked.get("until")).toBe(await own("2020-01-03T03:04:05"));
  });

  test("approvals that are over and an open block are found again by their address; a workstation leads to its own", async () => {
    await owner.goto("/approvals");
    await owner.getByRole("button", { name: "Over" }).click();
    await owner.waitForURL("**/approvals?state=over");
    await owner.reload();
    await owner.getByText("Nothing has waited for signatures yet").waitFor();
    await owner.goto(`/workstations/${fleet.workstations.get("lab-12")}`);
    await owner.getByRole("link", { name: "Its sticks" }).click();
    await row(owner, "Kingston").waitFor();
    await owner.goBack();
    await owner.getByRole("link", { name: "Its alerts" }).click();
    await row(owner, "ET MALWARE").waitFor();
  });

  test("rollouts and what is blocked are there to be sorted; what was opened beneath a list is closed by a click", async () => {
    await seedDenies(console_.pool, console_.consoleKey, fleet.groups.laboratory!);
    await seedRollouts(console_.pool, console_.consoleKey, fleet);
    await owner.goto("/deny?sort=-ends");
    await row(owner, "198.51.100.0/24").click();
    await owner.waitForURL("**/deny?sort=-ends&open=*");
    const details = owner.getByRole("region", { name: "Details" });
    await details.getByRole("button", { name: "Close" }).click();
    await details.waitFor({ state: "detached" });
    await owner.waitForURL("**/deny?sort=-ends");
  });

  test.each([
    ["/rollouts", "Group", "group", "-group"],
    ["/deny", "Ends", "ends", "-ends"],
    ["/usb/requests", "State", "state", "-state"],
    ["/quarantine", "Size", "-size", "size"],
  ])("%s is sorted by %s, in the address", async (path, name, first, then) => {
    await owner.goto(path);
    const head = owner.getByRole("columnheader", { name });
    await head.getByRole("button").click();
    await owner.waitForURL(`**${path}?sort=${first}`);
    await head.getByRole("button").click();
    await owner.waitForURL(`**${path}?sort=${then}`);
    expect(await head.getAttribute("aria-sort")).toBe(then.startsWith("-") ? "descending" : "ascending");
    await owner.reload();
    await expect
      .poll(() => head.getAttribute("aria-sort"), SOON)
      .toBe(then.startsWith("-") ? "descending" : "ascending");
  });

  test("what an address opens is opened also where it stands beyond the first page", async () => {
    const { pool } = console_;
    await pool.query(
      `INSERT INTO deny (id, audience, what, words, reason, until, added_by, added_at, added_order)
       SELECT 'f' || lpad(n::text, 11, '0'), 'fleet', what, 'one of many ' || n, 'r', now(), added_by, now() - interval '1 h', 1
         FROM generate_series(1, 210) n, (SELECT * FROM deny LIMIT 1) d`,
    );
    const refused = await pool.query<{ id: string }>(
      `INSERT INTO quarantine (topic, code, reason, size, bytes)
       SELECT 't', 'malformed', 'refusal ' || n, 9, '' FROM generate_series(1, 210) n RETURNING id`,
    );
    const denied = await pool.query<{ id: string }>("SELECT id FROM deny WHERE words LIKE '198.51.100.0/24%'");
    await owner.goto(`/deny?open=${denied.rows[0]!.id}`);
    await owner.getByRole("region", { name: "Details" }).getByText("scanners of a neighbour").waitFor();
    expect(await row(owner, "198.51.100.0/24").count()).toBe(0);
    await owner.goto(`/quarantine?open=${refused.rows[0]!.id}`);
    const drawer = owner.getByRole("complementary", { name: "Details" });
    await drawer.getByText("refusal 1", { exact: true }).waitFor();
    await drawer.getByRole("button", { name: "Close" }).click();
    await owner.waitForURL("**/quarantine");
  });

  test("people beyond a page are shown when they are asked for, in the order of the list", async () => {
    await console_.pool.query(
      `INSERT INTO person (id, name, email, role)
       SELECT 'p' || n, 'Person ' || lpad(n::text, 3, '0'), n || '@example.org', 'viewer' FROM generate_series(1, 230) n`,
    );
    await owner.goto("/people?sort=name");
    await row(owner, "Person 199").waitFor();
    expect(await row(owner, "Person 200").count()).toBe(0);
    await owner.getByRole("button", { name: "Show more" }).click();
    await row(owner, "Person 230").waitFor();
    await owner.getByRole("button", { name: "Show more" }).waitFor({ state: "detached" });
    expect(await owner.getByRole("row").count()).toBe(232); // with the heads and the owner
  });

  test("revisions of a group beyond a page are shown when they are asked for", async () => {
    const { rows } = await console_.pool.query<{ order: number }>(
      `INSERT INTO publication (group_id, "order", digest, statement, published_by, message)
       SELECT group_id, "order" + n, digest, statement, published_by, 'one of many'
         FROM (SELECT * FROM publication WHERE group_id = $1 ORDER BY "order" DESC LIMIT 1) p, generate_series(1, 210) n
       RETURNING "order"`,
      [fleet.groups.finance],
    );
    const oldest = owner.getByText(`r${rows[0]!.order}`, { exact: true });
    await owner.goto(`/policy/${fleet.groups.finance}`);
    await owner.getByText(`r${rows[209]!.order}`, { exact: true }).first().waitFor();
    expect(await oldest.count()).toBe(0);
    await owner.getByRole("button", { name: "Show older ones" }).click();
    await oldest.waitFor();
    await owner.getByRole("button", { name: "Show older ones" }).waitFor({ state: "detached" });
  });

  test("a replay takes revisions beyond a page, by asking for older ones or by their address", async () => {
    const path = `/policy/${fleet.groups.finance}/replay`;
    const policies = owner.getByLabel("Policy", { exact: true });
    const options = () => policies.getByRole("option").count();
    await owner.goto(`${path}?order=1`);
    await expect.poll(() => policies.inputValue(), SOON).toBe("1");
    await owner.goto(path);
    await policies.waitFor();
    expect(await options()).toBe(201); // with a text of one's own
    await owner.getByRole("button", { name: "Offer older ones" }).click();
    await expect.poll(options, SOON).toBeGreaterThan(211);
    await owner.getByRole("button", { name: "Offer older ones" }).waitFor({ state: "detached" });
    await policies.selectOption("1");
  });

  test("tokens, commands and what happened to a rollout are shown beyond a page when they are asked for", async () => {
    const { pool } = console_;
    const lab = fleet.workstations.get("lab-07")!;
    await pool.query(
      `INSERT INTO enrol_token (hash, group_id, labels, note, expires, created_at)
       SELECT sha256(n::text::bytea), $1, '{}', 'token ' || n, now() + interval '1 h', now() - n * interval '1 s'
         FROM generate_series(1, 210) n`,
      [fleet.groups.finance],
    );
    await pool.query(
      `INSERT INTO command (id, workstation_id, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                            not_after, standing, state)
       SELECT gen_random_uuid(), $1, n, 'diagnostics', '{}', '{}', '', 'nora', now(), 'command ' || n, now(), 'expired',
              '{"state":"expired"}'
         FROM generate_series(1, 60) n`,
      [lab],
    );
    const { rows } = await pool.query<{ id: string }>(
      `INSERT INTO rollout_event (rollout_id, at, act, text)
       SELECT r.id, now(), 'pause', 'event ' || n FROM (SELECT id FROM rollout LIMIT 1) r, generate_series(1, 210) n
       RETURNING rollout_id AS id`,
    );
    for (const [path, newest, oldest] of [
      ["/enrol", "token 1", "token 210"],
      [`/workstations/${lab}`, "command 60", "command 1"],
      [`/rollouts/${rows[0]!.id}`, "event 210", "event 1"],
    ] as const) {
      await owner.goto(path);
      await owner.getByText(newest, { exact: true }).waitFor();
      expect(await owner.getByText(oldest, { exact: true }).count()).toBe(0);
      await owner.getByRole("button", { name: "Show older ones" }).click();
      await owner.getByText(oldest, { exact: true }).waitFor();
      await owner.getByRole("button", { name: "Show older ones" }).waitFor({ state: "detached" });
    }
  });

  test("nothing of it asked another host for anything or broke the pages' own rules", () => expect(faults).toEqual([]));
});
