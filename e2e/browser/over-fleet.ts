/** A console over the seeded fleet, and its owner signed in in a browser: what most of these tests begin with. */
import type { Browser, Page } from "playwright-core";
import { openBrowser, openPage } from "./chromium.ts";
import { type Console, startConsole } from "./console.ts";
import { type FleetSeeded, seedFleet } from "./fleet.ts";
import { makeOwner } from "./people.ts";

export type OverFleet = {
  console_: Console;
  browser: Browser;
  /** The owner's; what `faults` collects is its too (chromium.ts). */
  page: Page;
  faults: string[];
  fleet: FleetSeeded;
  stop: () => Promise<void>;
};

/** What was started before something failed is stopped. Takes as long as a build where there is none (`START_MS_MAX`). */
export async function overFleet(): Promise<OverFleet> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const console_ = await startConsole();
    stops.push(console_.stop);
    const browser = await openBrowser();
    stops.push(() => browser.close());
    const { page, faults } = await openPage(browser, console_.url);
    await makeOwner(page, console_.setupUrl);
    const fleet = await seedFleet(console_.pool, console_.consoleKey);
    return { console_, browser, page, faults, fleet, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
