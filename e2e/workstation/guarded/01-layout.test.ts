/** Promise: what lies where in the machine's memory, and that nothing isolates the guest's device, is on the console. */
import path from "node:path";
import { expect, it } from "vitest";
import { openBrowser, openPage } from "../../browser/chromium.ts";
import { signIn } from "../../browser/people.ts";
import { DISPLAY } from "../machine.ts";
import { useGuarded } from "./boot.ts";
import { OWNER } from "./console.ts";

const at = useGuarded();

it("the agent of the installed package reports the layout that dom0 reads", async () => {
  const { record, reported } = at();
  const found = await record("hypervisor.layout", { since: new Date(0) });
  expect(found).toMatchObject({ severity: "warning", text: expect.stringContaining("can reach all memory") });
  const { layout } = (await reported())!;
  expect(layout).toEqual(found.body);
  expect(layout).toMatchObject({ hypervisor: "xen", isolation: "direct-map", audit: { wrong: 0 } });
  const primary = layout!.regions.filter(({ owner }) => owner === "primary");
  expect(primary.length).toBeGreaterThan(0);
  expect(primary.every(({ oneToOne }) => oneToOne)).toBe(true);
  expect(layout!.devices).toContainEqual(expect.objectContaining({ sbdf: DISPLAY.sbdf, owner: "primary" }));
});

it("the workstation's page draws the memory and says in words that nothing isolates the device", async () => {
  const { stack, workstation, id } = at();
  const browser = await openBrowser();
  try {
    const { page, faults } = await openPage(browser, stack.consoleUrl);
    await signIn(page, OWNER.email, OWNER.password);
    await page.waitForURL((url) => url.pathname === "/");
    await page.goto(`/workstations/${id}`);
    const map = page.getByRole("list", { name: "Machine memory, lowest address first" });
    await map.getByText("primary").first().waitFor();
    const drawn = await map.getByRole("listitem").allInnerTexts();
    expect(drawn.map((text) => text.split(/[\n ]/)[0])).toEqual(expect.arrayContaining(["primary", "xen", "dom0"]));
    expect(drawn[0]).toContain("primary · one to one");
    await page.getByText("isolation direct-map").waitFor();
    await page.screenshot({ path: path.join(workstation.folder, "page.png"), fullPage: true });
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
  }
});
