/** Debian's own Chromium, driven by playwright-core; nothing is downloaded. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const EXECUTABLE = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Generous: the machine may be building something else. Nothing is waited for longer than it takes. */
const WAIT_MS_MAX = 90_000;

/** The console may have to be built first, beside everything else that a test run builds. */
export const START_MS_MAX = 900_000;

/** Each program and the Debian package it comes in. */
const NEEDED = {
  [EXECUTABLE]: "chromium",
  "/usr/sbin/mkfs.vfat": "dosfstools",
  "/usr/bin/mcopy": "mtools",
};

/** Whether something these tests need is missing: named, and a failure where nobody can look (CI). */
export function isAbsent(): boolean {
  const packages = Object.entries(NEEDED).flatMap(([program, name]) => (existsSync(program) ? [] : [name]));
  if (packages.length === 0) return false;
  const text = `The browser tests need Debian packages that are absent: apt-get install ${packages.join(" ")}`;
  if (process.env.CI) throw new Error(text);
  process.stderr.write(`left out: ${text}\n`);
  return true;
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

/** A page of its own session. `faults` collects what a person with the developer tools open would frown at. */
export async function openPage(
  browser: Browser,
  baseURL: string,
): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({ baseURL, viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(WAIT_MS_MAX);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // a refused request is what some tests are about, and the browser logs each one
    if (message.type() === "error" && !/the server responded with a status of 4/.test(message.text()))
      faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(baseURL) && !request.url().startsWith("data:"))
      faults.push(`asked for ${request.url()}`);
  });
  return { context, page, faults };
}
