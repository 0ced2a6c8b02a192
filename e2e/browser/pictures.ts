/** Every page as a picture, at two widths, in both themes, over a fleet with something to look at:
 *  `node e2e/browser/pictures.ts FOLDER [PART-OF-A-NAME,…]` from the build, with DEVELOP=1 from the sources. For the eyes
 *  of whoever changes a page; nothing checks them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { seedApplied } from "./applied.ts";
import { type ApprovalsSeeded, seedApprovals } from "./approvals.ts";
import { seedArtifacts } from "./artifacts.ts";
import { openBrowser, openPage } from "./chromium.ts";
import { seedCommands } from "./commands.ts";
import { startConsole } from "./console.ts";
import { seedDenies } from "./denies.ts";
import { seedEscrow } from "./escrow.ts";
import { type ExceptionsSeeded, seedExceptions, seedSigning } from "./exceptions.ts";
import { type FleetSeeded, seedFleet } from "./fleet.ts";
import { makeOwner } from "./people.ts";
import { type RolloutsSeeded, seedRollouts } from "./rollouts.ts";

const WIDTHS = [1280, 1600];
const THEMES = ["light", "dark"] as const;
const HEIGHT = 860;
const SETTLE_MS = 500;
/** A page is compiled when it is first asked for, beside whatever else the machine does. */
const COMPILE_MS_MAX = 300_000;

const RULES = `# of the laboratory
network:
  otherwise: block
  rules:
    # the proxy, in hours
    - { name: proxy, verdict: allow, protocol: tcp, to: 192.0.2.10, ports: ["3128"], during: [{ days: [mon, fri], from: "07:00" }] }
    - { name: names, verdict: allow, protocol: udp, host: ns.example.org, ports: ["53"] }
usb:
  unscannable: allow
  deviceRules: []
`;

const DETECTION = `ids:
  strict: true
  homeNet: [192.0.2.0/24, 2001:db8:7::/48]
  suppress:
    - { signatureId: 2100498, address: 192.0.2.10, reason: the proxy looks so }
`;

type Picture = { name: string; path: string; act?: (page: Page) => Promise<void>; widths?: number[] };

const tab = (name: string) => async (page: Page) => void (await page.getByRole("tab", { name }).click());
const press = (name: string) => async (page: Page) => void (await page.getByRole("button", { name }).first().click());

const chosen = async (page: Page) => {
  for (const name of ["lab-07", "fin-02", "reception-with-a-rather-long-host-name-01", "spare-01"])
    await page.getByRole("checkbox", { name: `Choose ${name}`, exact: true }).check();
};

const around = async (page: Page) => {
  await page.keyboard.press("j");
  await page.getByRole("link", { name: "±10 min" }).first().click();
};

function pictures(
  { groups, workstations }: FleetSeeded,
  rollouts: RolloutsSeeded,
  approvals: ApprovalsSeeded,
  exceptions: ExceptionsSeeded & { signing: string },
  scan: string,
  held: string,
): Picture[] {
  const lab = workstations.get("lab-07");
  return [
    { name: "overview", path: "/" },
    { name: "workstations", path: "/workstations" },
    { name: "workstations-narrowed", path: "/workstations?policy=behind", widths: [900, ...WIDTHS] },
    { name: "workstations-sorted", path: "/workstations?sort=-spool" },
    { name: "workstations-chosen", path: "/workstations", act: chosen },
    {
      name: "workstations-tell",
      path: "/workstations",
      act: async (page) => {
        await chosen(page);
        await press("Another command…")(page);
        await page.getByLabel("Command", { exact: true }).selectOption("pause");
      },
    },
    {
      name: "workstations-told",
      path: "/workstations",
      act: async (page) => {
        await chosen(page);
        await press("Another command…")(page);
        await page.getByLabel("Why").fill("it is slow since the update");
        await page.getByRole("button", { name: /^Sign and send/ }).click();
        await page.getByRole("button", { name: "Close" }).waitFor();
      },
    },
    { name: "workstation", path: `/workstations/${lab}` },
    {
      name: "workstation-recovery-keys",
      path: `/workstations/${lab}`,
      act: (page) => page.getByRole("heading", { name: "Recovery keys" }).scrollIntoViewIfNeeded(),
    },
    { name: "workstation-in-force", path: `/workstations/${lab}/policy?at=${new Date().toISOString().slice(0, 16)}` },
    { name: "workstation-isolate", path: `/workstations/${lab}`, act: press("Isolate…") },
    ...(["wipe", "start-guest"] as const).map((verb) => ({
      name: `workstation-${verb}`,
      path: `/workstations/${lab}`,
      act: async (page: Page) => {
        await press("Another command…")(page);
        await page.getByLabel("Command", { exact: true }).selectOption(verb);
      },
    })),
    { name: "workstation-revoke", path: `/workstations/${lab}`, act: press("Revoke…") },
    { name: "workstation-move", path: `/workstations/${lab}`, act: press("Move…") },
    { name: "workstation-unbound", path: `/workstations/${workstations.get("lab-12")}` },
    {
      name: "workstation-older-recovery",
      path: `/workstations/${workstations.get("lab-12")}`,
      act: (page) => page.getByRole("heading", { name: "Recovery keys" }).scrollIntoViewIfNeeded(),
    },
    { name: "workstation-ids", path: `/workstations/${workstations.get("fin-02")}` },
    { name: "workstation-bare", path: `/workstations/${workstations.get("spare-01")}` },
    { name: "explore", path: "/explore", widths: [1024, ...WIDTHS] },
    {
      name: "explore-bars",
      path: "/explore",
      widths: [900, ...WIDTHS],
      act: async (page) => {
        const bars = page.getByRole("slider", { name: "Records over time" });
        const { x, y, width } = (await bars.boundingBox())!;
        await page.mouse.move(x + width * 0.6, y + 8);
        await page.mouse.down();
        await page.mouse.move(x + width * 0.8, y + 8);
      },
    },
    { name: "explore-filtered", path: "/explore?severity=warning&kind=guest.log&kind=ids.*&text=port" },
    { name: "explore-empty", path: "/explore?text=nothing-says-this" },
    { name: "explore-story", path: `/explore?open=${scan}` },
    { name: "explore-record", path: `/explore?open=${scan}`, act: tab("Record") },
    { name: "explore-raw", path: `/explore?open=${scan}`, act: tab("Raw") },
    { name: "explore-proof", path: `/explore?open=${scan}`, act: tab("Proof") },
    { name: "explore-ids", path: "/explore?kind=ids.alert", act: (page) => page.keyboard.press("j") },
    { name: "explore-around", path: "/explore?kind=ids.alert", act: around },
    { name: "explore-live", path: "/explore?live=1" },
    { name: "usb", path: "/usb" },
    { name: "usb-scan", path: `/usb/${scan.replace(".", "/")}`, act: (page) => page.keyboard.press("j") },
    { name: "usb-held", path: `/usb/${held.replace(".", "/")}` },
    { name: "usb-requests", path: "/usb/requests" },
    { name: "usb-image", path: exceptions.image },
    { name: "usb-allowed", path: exceptions.allowed },
    { name: "usb-revoked", path: exceptions.revoked },
    { name: "usb-refused", path: exceptions.refused },
    { name: "usb-signing", path: exceptions.signing },
    { name: "deny", path: "/deny", widths: [1100, ...WIDTHS] },
    { name: "deny-one", path: "/deny", act: (page) => page.keyboard.press("j") },
    {
      name: "deny-ask",
      path: "/deny",
      act: async (page) => {
        await press("Block something…")(page);
        await page.getByLabel("What", { exact: true }).fill("203.0.113.7:443");
      },
    },
    { name: "usb-nowhere", path: `/usb?hash=${"0".repeat(64)}` },
    { name: "alerts", path: "/alerts" },
    { name: "alerts-sorted", path: "/alerts?state=all&sort=-severity" },
    { name: "alert", path: "/alerts", act: (page) => page.keyboard.press("j") },
    {
      name: "alerts-chosen",
      path: "/alerts?severity=error",
      act: (page) => page.getByRole("checkbox", { name: "Choose all that are listed" }).check(),
    },
    { name: "quarantine", path: "/quarantine" },
    { name: "quarantine-one", path: "/quarantine", act: (page) => page.keyboard.press("j") },
    { name: "policy", path: "/policy" },
    { name: "policy-group", path: `/policy/${groups.laboratory}`, widths: [1100, ...WIDTHS] },
    {
      name: "policy-rules",
      path: `/policy/${groups.laboratory}`,
      act: async (page) => {
        await page.getByLabel("Policy text").fill(RULES);
        await tab("network")(page);
      },
    },
    {
      name: "policy-ids",
      path: `/policy/${groups.laboratory}`,
      act: async (page) => {
        await page.getByLabel("Policy text").fill(DETECTION);
        await tab("ids")(page);
      },
    },
    {
      name: "policy-managed",
      path: `/policy/${groups["front desk"]}`,
      act: async (page) => {
        const manage = page.getByRole("button", { name: "Managed from…" });
        if ((await manage.count()) === 0) return; // at another width before
        await manage.click();
        await page.getByRole("textbox", { name: "Repository" }).fill("https://git.example.org/fleet/policies");
        await page.getByLabel("Why").fill("It is reviewed there");
        await press("Manage it from there")(page);
      },
    },
    {
      name: "policy-faults",
      path: `/policy/${groups.laboratory}`,
      act: async (page) =>
        page.getByLabel("Policy text").fill("usb:\n  infected: maybe\n  deviceRules:\n    - allow idd 1\n"),
    },
    { name: "policy-replay", path: `/policy/${groups.laboratory}/replay?order=2` },
    {
      name: "policy-roll-out",
      path: `/policy/${groups.finance}`,
      act: async (page) => {
        await page.getByLabel("Policy text").fill("log:\n  linesPerSecond: 100\n");
        await press("Roll out…")(page);
      },
    },
    { name: "rollouts", path: "/rollouts" },
    { name: "rollout-paused", path: `/rollouts/${rollouts.paused}` },
    { name: "rollout-soaking", path: `/rollouts/${rollouts.soaking}` },
    { name: "rollout-aborted", path: `/rollouts/${rollouts.aborted}` },
    { name: "rollout-abort", path: `/rollouts/${rollouts.paused}`, act: press("Abort…") },
    { name: "approvals", path: "/approvals" },
    { name: "approvals-over", path: "/approvals", act: press("Over") },
    { name: "approval-policy", path: `/approvals/${approvals.policy}` },
    { name: "approval-wipe", path: `/approvals/${approvals.wipe}` },
    { name: "approval-over", path: `/approvals/${approvals.withdrawn}` },
    { name: "approval-signers", path: `/policy/${groups["front desk"]}` },
    { name: "approval-choose", path: `/policy/${groups["front desk"]}`, act: press("Approvers…") },
    { name: "artifacts", path: "/artifacts" },
    { name: "artifacts-remove", path: "/artifacts", act: (page) => page.getByText("Remove…").last().click() },
    { name: "enrol", path: "/enrol" },
    { name: "enrol-line", path: "/enrol", act: press("Make a token") },
    {
      name: "enrol-many",
      path: "/enrol",
      act: async (page) => {
        await page.getByLabel("Uses").fill("40");
        await page.getByLabel("Note").fill("the second floor, by Rio");
        await press("Make a token")(page);
      },
    },
    { name: "people", path: "/people" },
    { name: "account", path: "/account" },
    {
      name: "account-token",
      path: "/account",
      act: async (page) => {
        await page.getByLabel("Name of a new token").fill("the pipeline of the policies");
        await page.getByLabel("For", { exact: true }).selectOption("policy, apply from a pipeline");
        await press("Make a token")(page);
        await page.locator("[data-api-token]").scrollIntoViewIfNeeded();
      },
    },
    { name: "keys", path: "/", act: (page) => page.keyboard.press("?") },
    { name: "not-found", path: "/nowhere" },
  ];
}

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
