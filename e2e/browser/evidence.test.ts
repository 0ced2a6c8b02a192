import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { minute } from "../../apps/web/src/in-force/words.ts";
import { type Stack, startStack } from "../../packages/up/src/start.ts";
import { isAbsent, openBrowser, openPage, START_MS_MAX } from "./chromium.ts";
import { makeOwner } from "./people.ts";

let stack: Stack;
let browser: Browser;
let page: Page;
let faults: string[];
let stateFolder: string;

const MINUTE_MS = 60_000;
const IMAGE_BYTES = 2 * 1024 * 1024;
const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };

beforeAll(async () => {
  browser = await openBrowser();
  stateFolder = mkdtempSync(join(tmpdir(), "sallyport-browser-"));
  stack = await startStack({ stateFolder, ports: PORTS });
  ({ page, faults } = await openPage(browser, stack.consoleUrl));
  await makeOwner(page, stack.setupUrl ?? "");
}, START_MS_MAX);
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  if (stateFolder) rmSync(stateFolder, { recursive: true, force: true });
});

/** One line over UDP to this machine's agent, as a guest would send it. */
function say(line: string): Promise<void> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.send(line, stack.ports.syslog, "127.0.0.1", (error) => {
      socket.close();
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A stick's image laid into the agent's drop folder in one move, so that it is never seen half. */
function drop(name: string, files: Record<string, string>): void {
  const aside = mkdtempSync(join(stateFolder, "laying-"));
  const image = join(aside, name);
  writeFileSync(image, Buffer.alloc(IMAGE_BYTES));
  tool("mkfs.vfat", ["-F", "12", "-n", "STICK", image]);
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(aside, file), text);
    tool("mcopy", ["-i", image, join(aside, file), "::/"]);
  }
  renameSync(image, join(stateFolder, "sticks", name));
}

function tool(program: string, args: string[]): void {
  try {
    execFileSync(program, args, {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      stdio: "pipe",
    });
  } catch (cause) {
    throw new Error(`${program} failed; it is in Debian's packages dosfstools and mtools`, { cause });
  }
}

const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest("hex");
const row = (text: string | RegExp) => page.getByRole("row").filter({ hasText: text });

describe.skipIf(isAbsent())("evidence in the browser", () => {
  test("a line that a guest says appears by itself in the live tail, with what it tried to do to a terminal shown, not done", async () => {
    await page.goto("/explore?live=1");
    await row("trail").first().waitFor();
    await say(
      "<38>1 2026-11-24T08:00:00.000Z host sshd 411 - - Failed password for root from 203.0.113.9 \u001b[2Jlivemark",
    );
    await row("livemark").waitFor();
    expect(await row("livemark").textContent()).toContain("\\x1b[2J");
  });

  test("a search by text finds it, stands in the address, and can be taken back", async () => {
    await page.goto("/explore?live=1");
    await row("livemark").waitFor();
    await say("<30>1 2026-11-24T08:00:01.000Z host cron 412 - - nightly job searchmark done");
    await row("searchmark").waitFor();
    await page.goto("/explore");
    await row("searchmark").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("searchmark");
    await page.keyboard.press("Enter");
    await row("livemark").waitFor({ state: "detached" });
    await row("searchmark").waitFor();
    expect(await row("livemark").count()).toBe(0);
    expect(new URL(page.url()).searchParams.getAll("text")).toEqual(["searchmark"]);
    await page.reload();
    await row("searchmark").waitFor();
    await page.getByRole("button", { name: "Remove text:" }).click();
    await row("livemark").waitFor();
  });

  test("a record is proved in this browser against the checkpoint that the workstation signed", async () => {
    await page.goto("/explore?text=livemark");
    await row("livemark").waitFor();
    await page.keyboard.press("j");
    const drawer = page.getByRole("complementary", { name: "Details" });
    await drawer.getByText("this record").waitFor();
    await drawer.getByRole("tab", { name: "Raw" }).click();
    await drawer.locator("pre").getByText("Failed password for root").waitFor();
    await drawer.getByRole("tab", { name: "Proof" }).click();
    await drawer.locator('[data-proof="whole"]').waitFor();
    await drawer
      .getByText("signed by the trail’s key")
      .first()
      .or(drawer.getByText("signed by the trail's key"))
      .first()
      .waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
  });

  test("an image laid into sticks/ becomes a manifest, and its file is found by md5 and by sha256", async () => {
    const text = "quarterly figures, nothing to see\n";
    drop("holiday.img", { "figures.txt": text, "readme.md": "# hello\n" });
    await page.goto("/usb");
    await row("holiday.img").click();
    await row("figures.txt").waitFor();
    // no scanner stands beside this test: what was not scanned never counts as clean
    expect(await row("figures.txt").textContent()).toMatch(/unscannable|clean/);
    for (const algorithm of ["md5", "sha256"]) {
      await page.goto("/usb");
      await page.getByLabel("Search by md5 or sha256").fill(hex(algorithm, text));
      await row("figures.txt").waitFor();
      await page.getByText("Seen as a file, 1 time, on 1 workstation").waitFor();
    }
    await page.getByLabel("Search by md5 or sha256").fill(hex("sha256", "nowhere"));
    await page.getByText("Nowhere in the fleet").waitFor();
  });

  test("a policy with a fault is told line and path and cannot be published; a good one is, and the agent reports it in force", async () => {
    await page.goto("/policy");
    await page.getByRole("row").nth(1).click();
    const editor = page.getByLabel("Policy text");
    await editor.fill("log:\n  linesPerSecond: many\n");
    await page.getByRole("list", { name: "Faults" }).getByText("log.linesPerSecond").waitFor();
    await page.getByText("2:19").waitFor();
    expect(await page.getByRole("button", { name: "Publish…" }).isDisabled()).toBe(true);
    await editor.fill("log:\n  leastSeverity: info\nagent:\n  reportSeconds: 5\n  healthSeconds: 60\n");
    await page.getByRole("list", { name: "Changes" }).getByText("least severity kept").waitFor();
    await page.getByRole("button", { name: "Publish…" }).click();
    await page.getByLabel("What changes, and why").fill("Debug lines are noise here");
    await page.getByRole("button", { name: "Sign and publish" }).click();
    const reach = page.locator("section").filter({ hasText: "Desired against reported" });
    await reach.getByText(/^r2, \d of 6 not applied$|^r2 in force$/).waitFor();
    await page.goto(`/workstations/${stack.agent?.workstation}`);
    const inForce = page.locator("section").filter({ has: page.getByRole("heading", { name: "In force" }) });
    await inForce.getByText("wanted r2, found r2").waitFor();
    for (const section of ["log", "agent"])
      await inForce.getByRole("listitem").filter({ hasText: section }).getByText("applied", { exact: true }).waitFor();
    await inForce.getByRole("link", { name: "earlier" }).click();
    const said = page.getByRole("row").filter({ hasText: "Debug lines are noise here" });
    await said.first().getByText("now").waitFor();
    await page.getByLabel("In force at").fill("2099-01-01");
    await page.getByRole("button", { name: "Say" }).click();
    await page.getByText("has not come yet").waitFor();
    await page.getByLabel("In force at").fill(minute(new Date(Date.now() + MINUTE_MS).toISOString()));
    await page.getByRole("button", { name: "Say" }).click();
    await page.getByText("signed by the console’s key").waitFor();
    await page.getByLabel("In force at").fill("2001-01-01 08:00");
    await page.getByRole("button", { name: "Say" }).click();
    await page.getByText("had said nothing of a policy").waitFor();
  });

  test("a line that the policy no longer keeps does not arrive, and one that it keeps does", async () => {
    await say("<31>1 2026-11-24T08:00:02.000Z host app 1 - - debugmark");
    await say("<30>1 2026-11-24T08:00:03.000Z host app 1 - - keptmark");
    await page.goto("/explore?live=1");
    await row("keptmark").waitFor();
    expect(await row("debugmark").count()).toBe(0);
  });

  test("a token is made, shown once, and listed until it is revoked", async () => {
    await page.goto("/enrol");
    await page.getByLabel("Note").fill("for the new laptop");
    await page.getByRole("button", { name: "Make a token" }).click();
    expect(await page.locator("[data-enrol-line]").textContent()).toMatch(
      /^printf %s sallyport1\.[\w-]+ \| npx sallyport-agent enrol -$/,
    );
    const token = page.getByRole("listitem").filter({ hasText: "for the new laptop" });
    await token.getByRole("button", { name: "Revoke" }).click();
    await token.waitFor({ state: "detached" });
  });

  test("with a package repository in the state folder the line installs from this console, and apt needs no session", async () => {
    const packages = join(stack.stateFolder, "packages");
    mkdirSync(packages);
    writeFileSync(join(packages, "InRelease"), "as the release key signed it\n");
    await page.goto("/enrol");
    await page.getByLabel("Note").fill("by package");
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.getByText("was made without its address").waitFor();
    const sources = `Types: deb\nURIs: ${stack.consoleUrl}/packages\n`;
    writeFileSync(join(packages, "sallyport.sources"), sources);
    await page.getByRole("button", { name: "Make another" }).click();
    await page.getByLabel("Note").fill("for many");
    await page.getByLabel("Uses").fill("20");
    await page.getByRole("button", { name: "Make a token" }).click();
    const sum = createHash("sha256").update(sources).digest("hex");
    await page.getByText(`${stack.consoleUrl}/packages/sallyport.sources`).waitFor();
    await page.getByText(`SHA256:${sum}`).waitFor();
    // one for many machines stays in nobody's history: it is typed where the line asks for it
    expect(await page.locator("[data-enrol-line]").textContent()).toBe("npx sallyport-agent enrol -");
    expect(await page.locator("[data-enrol-token]").textContent()).toMatch(/^sallyport1\.[\w-]+$/);
    expect(await (await fetch(`${stack.consoleUrl}/packages/sallyport.sources`)).text()).toBe(sources);
    const fetched = await fetch(`${stack.consoleUrl}/packages/InRelease`);
    expect([fetched.status, await fetched.text()]).toEqual([200, "as the release key signed it\n"]);
    // as apt asks, whose "Suites: ./" stands in each address; fetch would take it out
    const { hostname, port } = new URL(stack.consoleUrl);
    const asked = get({ host: hostname, port, path: "/packages/./InRelease" });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    expect([answer.statusCode, (await answer.toArray()).join("")]).toEqual([200, "as the release key signed it\n"]);
    for (const name of ["console.key", "..%2Fkeys%2Fconsole.key", "%2e%2e%2fkeys%2fca.key"])
      expect((await fetch(`${stack.consoleUrl}/packages/${name}`)).ok, name).toBe(false);
    for (const note of ["by package", "for many"]) {
      const token = page.getByRole("listitem").filter({ hasText: note });
      await token.getByRole("button", { name: "Revoke" }).click();
      await token.waitFor({ state: "detached" });
    }
  });

  test("the page of this machine says what dom0 sees, and never calls a machine without a hypervisor isolated", async () => {
    await page.goto(`/workstations/${stack.agent?.workstation}`);
    await page.getByText("reporting").first().waitFor();
    await page.getByText("no hypervisor", { exact: true }).waitFor();
  });

  test("acts stand on the console's own trail and are proved like a workstation's", async () => {
    await page.goto("/explore?kind=person.policy-published");
    await row("published revision 2").click();
    await page.getByRole("tab", { name: "Proof" }).click();
    await page.locator('[data-proof="whole"]').waitFor();
  });

  test("nothing of it asked another host for anything or broke the pages' own rules", () => expect(faults).toEqual([]));
});
