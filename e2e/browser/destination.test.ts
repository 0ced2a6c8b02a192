/** The page of destinations over the real console, with the worker's loop beside it and a real HTTPS receiver. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reachable } from "../../apps/web/src/destination/address.ts";
import { Deliveries } from "../../apps/web/src/destination/deliver.ts";
import { sealWith } from "../../apps/web/src/destination/seal.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { receiveWebhooks } from "../../apps/web/test/receivers.ts";
import { ensureKeys } from "../../packages/up/src/keys.ts";
import { isAbsent, openBrowser, openPage, START_MS_MAX } from "./chromium.ts";
import { type Console, startConsole } from "./console.ts";
import { join as joinConsole, makeOwner } from "./people.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-receiver-"));
const stopping = new AbortController();
let made: Console;
let browser: Browser;
let page: Page;
let faults: string[];
let running: Promise<void> | undefined;
let receiver: Awaited<ReturnType<typeof receiveWebhooks>>;
let ca: string;
let allowed = "127.0.0.0/8";
let status = 204;

beforeAll(async () => {
  if (isAbsent()) return;
  browser = await openBrowser();
  made = await startConsole();
  ({ page, faults } = await openPage(browser, made.url));
  await makeOwner(page, made.setupUrl);
  const keys = await ensureKeys(folder);
  ca = readFileSync(keys.ca, "utf8");
  const tls = { key: readFileSync(keys.listener.key), cert: readFileSync(keys.listener.cert) };
  receiver = await receiveWebhooks(tls, () => ({ status }));
  const deliveries = new Deliveries({
    ...{ pool: made.pool, recordConsole: consoleRecorder(made.consoleKey), consoleUrl: made.url, host: "console" },
    seal: sealWith(made.sessionSecret),
    log: { info: () => undefined, warn: () => undefined },
    may: (address) => reachable(allowed)(address),
    ...{ firstMs: 200, lookMs: 100 },
  });
  running = deliveries.run(stopping.signal);
}, START_MS_MAX);
afterAll(async () => {
  stopping.abort();
  await running;
  await receiver?.stop();
  await browser?.close();
  await made?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const row = (text: string | RegExp) => page.getByRole("row").filter({ hasText: text });
const details = () => page.getByRole("region", { name: "Details" });
const button = (name: string) => page.getByRole("button", { name, exact: true });

async function raise(key: string): Promise<number> {
  const { rows } = await made.pool.query<{ id: string }>(
    "INSERT INTO alert (key, kind, severity, title, reason) VALUES ($1, 'usb.scan', 4, $1, 'infected') RETURNING id",
    [key],
  );
  return Number(rows[0]?.id);
}

describe.skipIf(isAbsent())("the page of destinations", () => {
  test("teaches where there is none, and takes a webhook, whose secret is shown once and whose address never again", async () => {
    await page.goto("/destinations");
    await page.getByText("Alerts are sent nowhere").waitFor();
    await button("Add a destination…").click();
    await page.getByLabel("Name").fill("SOC chat");
    await page.getByLabel("Address").fill(`${receiver.url}&key=very-secret`);
    await page.getByLabel("Certificates of its authority (PEM)").fill(ca);
    await button("Add it").click();
    const secret = await page.locator("[data-shown-once]").textContent();
    expect(secret).toMatch(/^whsec_/);
    await button("Done").click();
    await row("SOC chat")
      .filter({ hasText: `https://localhost:${receiver.port}/…` })
      .waitFor();
    const text = await page.content();
    expect(text).not.toContain("very-secret");
    expect(text).not.toContain(secret);
  });

  test("shows that an alert arrived, and its message leads to the alert's page", async () => {
    const id = await raise("a stick of the test");
    await row("SOC chat").getByText("arrives").waitFor();
    const { text } = JSON.parse(receiver.posted[0]!.body) as { text: string };
    expect(text).toBe(`[error] a stick of the test: infected\n${made.url}/alerts?open=${id}`);
    await page.goto(text.split("\n")[1]!);
    await page.getByRole("complementary", { name: "Details" }).getByText("a stick of the test").waitFor();
  });

  test("sends a test and says how it went, also where the address is none that may be reached", async () => {
    await page.goto("/destinations");
    await row("SOC chat").click();
    await button("Send a test").click();
    await details().getByText("taken").waitFor();
    expect(JSON.parse(receiver.posted.at(-1)!.body)).toMatchObject({ type: "test" });
    allowed = "";
    await button("Send a test").click();
    await details()
      .getByText(/is not a public address\. Where it is meant, list it in SALLYPORT_ALERT_NETWORKS/)
      .waitFor();
    allowed = "127.0.0.0/8";
  });

  test("shows what waits and why, and the overview says so once it has failed for ten minutes", async () => {
    status = 503;
    await raise("another");
    await row("SOC chat").getByText("trying").waitFor();
    await row("SOC chat").getByText("It answered 503.").waitFor();
    await details().getByText("1 alert", { exact: true }).waitFor();
    await made.pool.query("UPDATE destination SET failing_since = now() - interval '11 minutes'");
    await page.goto("/");
    await page.getByRole("link", { name: "alerts do not reach 1 destination" }).click();
    await row("SOC chat").getByText("failing").waitFor();
    status = 204;
    await row("SOC chat").getByText("arrives").waitFor();
  });

  test("changes which alerts go there, switches it off and removes it, each on the trail", async () => {
    await row("SOC chat").click();
    await button("Change…").click();
    await page.getByLabel("Of these kinds only").fill("usb.scan, Not A Kind");
    await button("Change it").click();
    await page.getByText("kinds as the Alerts page names them").first().waitFor();
    await page.getByLabel("Of these kinds only").fill("usb.scan ids.alert");
    await page.getByLabel("Gets alerts of").selectOption("critical");
    await button("Change it").click();
    await row("critical, ids.alert, usb.scan").waitFor();
    await button("Switch off…").click();
    await page.getByText("Alerts are not sent to it any more.").waitFor();
    await button("Switch off").click();
    await row("SOC chat").getByText("off", { exact: true }).waitFor();
    await button("Remove…").click();
    await page.getByText("Its address and secret are forgotten.").waitFor();
    await button("Remove").click();
    await page.getByText("Alerts are sent nowhere").waitFor();
    await page.goto("/explore?kind=person.destination-removed");
    await row('removed the destination "SOC chat"').waitFor();
  });

  test("is not there for a responder", async () => {
    await page.goto("/people");
    await page.getByRole("button", { name: "Add a person" }).click();
    await page.getByLabel("Name").fill("Rae Responder");
    await page.getByLabel("E-mail").fill("rae@example.org");
    await page.getByLabel("Role", { exact: true }).selectOption("responder");
    await page.getByRole("button", { name: "Make the link" }).click();
    const link = (await page.locator("[data-shown-once]").textContent()) ?? "";
    const { page: other, context } = await openPage(browser, made.url);
    await other.goto(link);
    await joinConsole(other, "Join");
    await other.goto("/");
    await other
      .getByRole("link", { name: /^Alerts/ })
      .first()
      .waitFor();
    expect(await other.getByRole("link", { name: "Destinations" }).count()).toBe(0);
    await other.goto("/destinations");
    await other.getByText("As responder you may not decide where alerts are sent.").waitFor();
    await context.close();
  });

  test("nothing of it asked another host for anything or broke the pages' own rules", () =>
    expect(faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED|ERR_NETWORK/.test(fault))).toEqual([]));
});
