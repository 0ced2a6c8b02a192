/** Every page as a picture, at two widths, in both themes, over a fleet with something to look at:
 *  `node e2e/browser/pictures.ts FOLDER [PART-OF-A-NAME,…]` from the build, with DEVELOP=1 from the sources. For the eyes
 *  of whoever changes a page; nothing checks them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { seedApplied } from "./applied.ts";
import { seedApprovals } from "./approvals.ts";
import { seedArtifacts } from "./artifacts.ts";
import { openBrowser, openPage } from "./chromium.ts";
import { seedCommands } from "./commands.ts";
import { startConsole } from "./console.ts";
import { seedDenies } from "./denies.ts";
import { seedDestinations } from "./destinations.ts";
import { seedEscrow } from "./escrow.ts";
import { seedExceptions, seedSigning } from "./exceptions.ts";
import { seedFleet } from "./fleet.ts";
import { makeOwner } from "./people.ts";
import { pictures, WIDTHS } from "./picture-list.ts";
import { seedRollouts } from "./rollouts.ts";

const THEMES = ["light", "dark"] as const;
const HEIGHT = 860;
const SETTLE_MS = 500;
/** A page is compiled when it is first asked for, beside whatever else the machine does. */
const COMPILE_MS_MAX = 300_000;

async function settled(page: Page): Promise<void> {
  await page.waitForTimeout(SETTLE_MS);
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
}

const [folder = "pictures", only = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const made = await startConsole({ develop: process.env.DEVELOP === "1" });
const browser = await openBrowser();
try {
  const { page, faults } = await openPage(browser, made.url);
  page.context().setDefaultTimeout(COMPILE_MS_MAX);
  await page.setViewportSize({ width: 1280, height: HEIGHT });
  const door = async (name: string) => {
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await page.screenshot({ path: join(folder, `${name}-1280-${theme}.png`) });
    }
  };
  await page.goto(made.setupUrl);
  await door("setup");
  await makeOwner(page, made.setupUrl);
  await settled(page);
  await door("welcome");
  await settled(page);
  await page.goto("/");
  await settled(page);
  await door("overview-empty");
  const fleet = await seedFleet(made.pool, made.consoleKey);
  await seedApplied(made.pool, fleet.workstations.get("lab-07")!);
  await seedCommands(made.pool, made.consoleKey, fleet.workstations.get("lab-07")!, "lab-07");
  await seedDenies(made.pool, made.consoleKey, fleet.groups.laboratory!);
  await seedArtifacts(made.pool, "nora@example.org");
  await seedDestinations(made.pool);
  const rollouts = await seedRollouts(made.pool, made.consoleKey, fleet);
  // behind what else reports
  await seedEscrow(made.pool, fleet.workstations.get("lab-07")!);
  await seedEscrow(made.pool, fleet.workstations.get("lab-12")!, { isOlder: true });
  const desk = await made.pool.query<{ id: string; name: string }>(
    "SELECT id, name FROM workstation WHERE group_id = $1 AND state = 'enrolled' LIMIT 1",
    [fleet.groups["front desk"]],
  );
  const approvals = await seedApprovals(made.pool, made.consoleKey, fleet.groups["front desk"], desk.rows[0]!);
  const exceptions = {
    ...(await seedExceptions(made.pool, made.consoleKey, fleet.groups.laboratory)),
    signing: await seedSigning(made.pool, made.consoleKey, fleet.groups["front desk"]),
  };
  const { rows } = await made.pool.query<{ trail: number; index: string }>(
    "SELECT DISTINCT ON (verdict) trail, index FROM scan WHERE verdict <> 'allow' ORDER BY verdict, trail",
  );
  const [scan = "", held = ""] = rows.map(({ trail, index }) => `${trail}.${index}`);
  const shown = pictures(fleet, rollouts, approvals, exceptions, scan, held).filter(({ name }) =>
    only.split(",").some((each) => name.includes(each)),
  );
  for (const { name, path, act, widths = WIDTHS } of shown) {
    for (const width of widths) {
      await page.setViewportSize({ width, height: HEIGHT });
      await page.goto(path);
      await settled(page);
      await act?.(page);
      await settled(page);
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`) });
      }
    }
    process.stdout.write(`${name}\n`);
  }
  if (faults.length > 0) process.stdout.write(`faults:\n${[...new Set(faults)].join("\n")}\n`);
} finally {
  await browser.close();
  await made.stop();
}
