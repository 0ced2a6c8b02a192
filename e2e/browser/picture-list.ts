/** What pictures.ts takes a picture of: each page, and what is done on it before. */
import type { Page } from "playwright-core";
import type { Histogram } from "../../apps/web/src/record/histogram.ts";
import type { ApprovalsSeeded } from "./approvals.ts";
import type { ExceptionsSeeded } from "./exceptions.ts";
import type { FleetSeeded } from "./fleet.ts";
import type { RolloutsSeeded } from "./rollouts.ts";

export const WIDTHS = [1280, 1600];

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

/** `act` leads from the page as it opens to what is to be seen; `widths` in pixels where others are meant than `WIDTHS`. */
export type Picture = { name: string; path: string; act?: (page: Page) => Promise<void>; widths?: number[] };

const tab = (name: string) => async (page: Page) => void (await page.getByRole("tab", { name }).click());
const press = (name: string) => async (page: Page) => void (await page.getByRole("button", { name }).first().click());

const chosen = async (page: Page) => {
  for (const name of ["lab-07", "fin-02", "reception-with-a-rather-long-host-name-01", "spare-01"])
    await page.getByRole("checkbox", { name: `Choose ${name}`, exact: true }).check();
};

/** As if what matches were too much to be counted whole. */
const uncounted = async (page: Page) => {
  await page.route(/record\.histogram/, async (route) => {
    const response = await route.fetch();
    const answer = (await response.json()) as { result: { data: Histogram } };
    const { from, stepMs, counts } = answer.result.data;
    answer.result.data.countedFrom = new Date(Date.parse(from) + (counts.length / 2) * stepMs).toISOString();
    await route.fulfill({ response, json: answer });
  });
  await page.reload();
  await page.getByText("counted back to").waitFor();
  await page.unroute(/record\.histogram/);
};

const around = async (page: Page) => {
  await page.keyboard.press("j");
  await page.getByRole("link", { name: "±10 min" }).first().click();
};

/** All of them, over what was put into the console. `scan` is `TRAIL.INDEX` of one that is blocked, `held` of one that waits. */
export function pictures(
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
    {
      name: "workstation-in-force",
      widths: [900, ...WIDTHS],
      path: `/workstations/${lab}/policy?at=${new Date().toISOString().slice(0, 16)}`,
    },
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
    { name: "explore-uncounted", path: "/explore", widths: [900, ...WIDTHS], act: uncounted },
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
    { name: "usb-requests", path: "/usb/requests", widths: [900, ...WIDTHS] },
    { name: "usb-requests-sorted", path: "/usb/requests?sort=state" },
    { name: "usb-image", path: exceptions.image },
    { name: "usb-allowed", path: exceptions.allowed },
    { name: "usb-revoked", path: exceptions.revoked },
    { name: "usb-refused", path: exceptions.refused },
    { name: "usb-signing", path: exceptions.signing },
    { name: "deny", path: "/deny", widths: [1100, ...WIDTHS] },
    { name: "destinations", path: "/destinations", widths: [900, ...WIDTHS] },
    ...["SIEM", "SOC chat"].map((name) => ({
      name: `destinations-${name.replace(" ", "-")}`,
      path: "/destinations",
      act: async (page: Page) => void (await page.getByRole("row").filter({ hasText: name }).click()),
    })),
    { name: "destinations-add", path: "/destinations", act: press("Add a destination…") },
    { name: "deny-sorted", path: "/deny?sort=ends" },
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
    { name: "quarantine", path: "/quarantine?sort=-size" },
    { name: "quarantine-one", path: "/quarantine", act: (page) => page.keyboard.press("j") },
    { name: "policy", path: "/policy" },
    { name: "policy-group", path: `/policy/${groups.laboratory}`, widths: [1100, ...WIDTHS] },
    {
      name: "policy-revisions",
      path: `/policy/${groups.laboratory}`,
      widths: [1100, ...WIDTHS],
      act: (page) => page.getByText("The defaults, written down").scrollIntoViewIfNeeded(),
    },
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
    { name: "rollouts-sorted", path: "/rollouts?sort=group" },
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
    {
      name: "explore-between",
      path: "/explore",
      act: async (page) => {
        await page.getByLabel("Received since").selectOption("Between…");
        await page.getByLabel("From").fill("12026-11-24T10:00:00");
        await page.getByRole("button", { name: "Show", exact: true }).click();
      },
    },
    { name: "account", path: "/account" },
    {
      name: "account-token",
      path: "/account",
      act: async (page) => {
        await page.getByLabel("Name of a new token").fill("the pipeline of the policies");
        await page.getByLabel("policy, apply from a pipeline").check();
        await press("Make a token")(page);
        await page.locator("[data-api-token]").scrollIntoViewIfNeeded();
      },
    },
    { name: "keys", path: "/", act: (page) => page.keyboard.press("?") },
    { name: "not-found", path: "/nowhere" },
  ];
}
