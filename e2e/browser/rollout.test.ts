/** A policy on its way through a group, as an admin does it: edit, replay, roll out, a guard that trips, abort, back. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { catchUp } from "../../apps/web/src/replay/gather.ts";
import { step } from "../../apps/web/src/rollout/step.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { isAbsent, START_MS_MAX } from "./chromium.ts";
import type { Console } from "./console.ts";
import type { FleetSeeded } from "./fleet.ts";
import { overFleet } from "./over-fleet.ts";

const LOOK_MS = 6_000;

let console_: Console;
let page: Page;
let faults: string[];
let fleet: FleetSeeded;
let stop: (() => Promise<void>) | undefined;
let now = Date.now();

beforeAll(async () => {
  ({ console_, page, faults, fleet, stop } = await overFleet());
}, START_MS_MAX);
afterAll(() => stop?.());

/** A worker's look, a few seconds after the one before. */
async function look(id: string): Promise<void> {
  now = Math.max(now, Date.now()) + LOOK_MS;
  await step({ pool: console_.pool, recordConsole: consoleRecorder(console_.consoleKey) }, id, new Date(now));
}

/** What the agents that were told report of the newest publication that is theirs. */
async function report(network: object): Promise<void> {
  await console_.pool.query(
    `UPDATE reported SET received_at = $2, document = document || jsonb_build_object(
       'policy', jsonb_build_object('digest', p.digest, 'order', p."order",
                                    'taken', '2026-11-24T10:00:00.000Z', 'old', false),
       'sections', jsonb_build_object('usb', $3::jsonb, 'network', $1::jsonb, 'ids', $3::jsonb, 'log', $3::jsonb,
                                      'disk', $3::jsonb, 'agent', $3::jsonb))
      FROM workstation w CROSS JOIN LATERAL wanted(w.id, w.group_id) p
     WHERE w.id = reported.workstation_id AND w.group_id = $4`,
    [JSON.stringify(network), new Date(now), JSON.stringify({ outcome: "applied" }), fleet.groups.finance],
  );
}

const APPLIED = { outcome: "applied" };

describe.skipIf(isAbsent())("a rollout", () => {
  test("is replayed over what the group recorded before it is begun", async () => {
    await catchUp(console_.pool, new AbortController().signal);
    await page.goto(`/policy/${fleet.groups.finance}`);
    await page.getByLabel("Policy text").fill("log:\n  leastSeverity: critical\n");
    await page.getByRole("button", { name: "Replay…" }).click();
    await page.getByRole("button", { name: "Run replay" }).click();
    const result = page.getByTestId("replay-result");
    await result.getByText(/come out otherwise: \d+ lines would be held back, and were kept\.$/).waitFor();
    await result.getByText(/a burst within one minute is not seen/).waitFor();
    const record = result.getByRole("link", { name: /a minute of lines by udp/ }).first();
    expect(await record.getAttribute("href")).toMatch(
      /^\/explore\?workstation=[0-9a-f-]{36}&kind=guest\.log.*&open=\d+\.\d+$/,
    );
    await page.getByLabel("Policy text").fill("log:\n  leastSeverity: debug\n");
    await page.getByText("The candidate was changed since").waitFor();
    await page.getByRole("link", { name: "Replay a revision" }).click();
    // The page left has a "Run replay" of its own.
    await page.waitForURL(/\/replay(\?|$)/);
    await page.getByRole("button", { name: "Run replay" }).click();
    await page.getByText(/^Of \d+ recorded decisions none comes out otherwise\.$/).waitFor();
    expect(faults).toEqual([]);
  });

  test("is begun from the edited policy, paused by a guard with its reason, and taken back", async () => {
    await report(APPLIED);
    await page.goto(`/policy/${fleet.groups.finance}`);
    await page.getByLabel("Policy text").fill("log:\n  linesPerSecond: 120\n");
    await page.getByRole("button", { name: "Roll out…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Wave 1 picks by").selectOption("label");
    await dialog.getByLabel("Wave 1 label").fill("nobody");
    await dialog.getByText(/no workstation of finance has the label nobody/).waitFor();
    expect(await dialog.getByRole("button", { name: "Sign and begin" }).isDisabled()).toBe(true);
    await dialog.getByLabel("Wave 1 label").fill("board");
    await dialog.getByText("1 workstation", { exact: true }).first().waitFor();
    await dialog.getByLabel("What changes, and why").fill("Fewer lines are enough here");
    await dialog.getByRole("button", { name: "Sign and begin" }).click();
    await page.waitForURL(/\/rollouts\/[0-9a-f-]{36}$/);
    const id = page.url().slice(-36);

    await look(id);
    const waves = page.getByRole("list", { name: "Waves" }).getByRole("listitem");
    await waves.filter({ hasText: "label board" }).getByText("1 told of 1 workstation").waitFor();
    await report({ outcome: "failed", reason: "no such interface: vif9.0" });
    await look(id);
    await page.getByText("Paused. Nobody more is told until it is resumed or promoted.").waitFor();
    await page.getByText("tripped").waitFor();
    await page.getByRole("list", { name: "Workstations" }).getByText("network: no such interface: vif9.0").waitFor();

    await page.getByRole("button", { name: "Abort…" }).click();
    await page.getByRole("dialog").getByLabel("Why").fill("The interface is not there");
    await page.getByRole("dialog").getByRole("button", { name: "Abort", exact: true }).click();
    await page.getByText(/^Going back: r\d+ carries what finance had before\.$/).waitFor();
    await report(APPLIED);
    await look(id);
    await page.getByText(/^Aborted: finance should have r\d+, which is what it had before\.$/).waitFor();
    await page.getByRole("list", { name: "Events" }).getByText("The interface is not there").first().waitFor();
    expect(await page.getByRole("button", { name: "Abort…" }).count()).toBe(0);
    expect(faults).toEqual([]);
  });
});
