/** An exception, and what is denied, reach every connected workstation within ten seconds, over the real broker, worker and
 *  agents; what somebody changes by hand in the kernel's rules is seen, told and put right within a minute. */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SimUsb, simUsb } from "../../apps/agent/src/sim/usb.ts";
import { enrolMachine, type Machine, runCli, stop, stopAll, until } from "../../apps/agent/test/core/agent.ts";
import type { Console } from "../../apps/agent/test/core/console.ts";
import { unable } from "../../apps/agent/test/network/namespaces.ts";
import { MAC, makeWire, type Wire } from "../../apps/agent/test/network/wire.ts";
import { deny, lift } from "../../apps/web/src/deny/act.ts";
import { addDeny } from "../../apps/web/src/deny/change.ts";
import { listDenies } from "../../apps/web/src/deny/store.ts";
import { readConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { makeException } from "../../apps/web/src/usb/exception.ts";
import { listRequests } from "../../apps/web/src/usb/requests.ts";
import { getWorkstation } from "../../apps/web/src/workstation/store.ts";
import { type Stack, startStack } from "../../packages/up/src/start.ts";
import { publish as putPolicy } from "./publish.ts";

const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
const REACHED_MS_MAX = 10_000;
const SEEN_MS_MAX = 60_000;
const BAD = "not to be let in anywhere";
const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const absent = await unable("nft", "ip", "python3");
const by = { id: "rio", email: "rio@example.org" };
const origin = { address: "192.0.2.9" } as never;

let folder: string;
let stack: Stack;
let wire: Wire;
let pool: pg.Pool;
let machines: Machine[];
const kernels: SimUsb[] = [];
let parts: Parameters<typeof deny>[0];

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-deny-"));
  wire = await makeWire();
  // the programs that an agent runs are led into its namespace, so that this machine's own rules are let be
  for (const program of ["env", "ip"]) {
    const path = join(folder, program);
    const real = program === "env" ? "/usr/bin/env" : "/usr/sbin/ip";
    writeFileSync(path, `#!/bin/sh\nexec /usr/sbin/ip netns exec ${wire.spaces.of("dom0")} ${real} "$@"\n`);
    chmodSync(path, 0o755);
  }
  stack = await startStack({ stateFolder: join(folder, "stack"), ports: PORTS, console: false, agent: false });
  pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 4 });
  pool.on("error", () => undefined); // the server is stopped under it at the end
  const consoleKey = readConsoleKey(stack.keys.console);
  parts = { pool, recordConsole: consoleRecorder(consoleKey), consoleKey };
  await publish({});
  machines = await Promise.all([0, 1, 2].map(makeMachine));
  await until("all report", async () => (await connected()) === 3, machines[0], 120_000);
}, 300_000);
afterAll(async () => {
  stopAll();
  for (const kernel of kernels) kernel.stop();
  await pool?.end();
  await stack?.stop();
  await wire?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** The first one has guests behind a firewall; all have a gate over a pretend kernel, and a folder for images. */
async function makeMachine(number: number): Promise<Machine> {
  const host = join(folder, `host-${number}`);
  mkdirSync(host);
  const kernel = simUsb(host);
  const { place } = kernel;
  kernels[number] = kernel;
  const sticks = join(folder, `sticks-${number}`);
  mkdirSync(sticks);
  const vif = { name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2", "fd00:1::2"] };
  const token = await newToken();
  const machine = await enrolMachine({ token: () => token } as unknown as Console);
  machine.config({
    sticks,
    usb: { ...place, udev: false },
    ...(number === 0 && { firewall: { wire: "routed", vifs: [vif] } }),
  });
  begin(machine);
  return machine;
}

const children = new Map<Machine, ReturnType<Machine["start"]>>();
function begin(machine: Machine): void {
  const path = process.env.PATH;
  process.env.PATH = `${folder}:${path}`;
  children.set(machine, machine.start());
  process.env.PATH = path;
}

async function newToken(): Promise<string> {
  const secret = randomBytes(32).toString("base64url");
  const ca = createHash("sha256")
    .update(new X509Certificate(readFileSync(stack.keys.ca)).raw)
    .digest("hex") as Sha256;
  await pool.query(
    `INSERT INTO enrol_token (hash, group_id, labels, uses, expires)
     SELECT $1, id, '{}', 1, now() + interval '1 hour' FROM "group"`,
    [createHash("sha256").update(secret).digest()],
  );
  return printToken({ url: `https://localhost:${stack.ports.listen}`, ca, secret });
}

const publish = (draft: object) => putPolicy(pool, stack, { agent: { reportSeconds: 3_600 }, ...draft });

const connected = async (): Promise<number> =>
  Number(
    (
      await pool.query(
        `SELECT count(*) FROM workstation w JOIN reported r ON r.workstation_id = w.id
          WHERE presence_state = 'online' AND document -> 'policy' ->> 'order' IS NOT NULL`,
      )
    ).rows[0].count,
  );
const entry = async (id: string) => (await listDenies(pool, new Date())).rows.find((each) => each.id === id);
const documentOf = async ({ workstation }: Machine) =>
  (await pool.query("SELECT document FROM reported WHERE workstation_id = $1", [workstation])).rows[0].document;
const records = async ({ workstation }: Machine, kind: string): Promise<string[]> =>
  (
    await pool.query<{ text: string }>(
      `SELECT convert_from(content, 'UTF8')::jsonb ->> 'text' AS text FROM record r JOIN trail t ON t.num = r.trail
        WHERE t.workstation_id = $1 AND r.kind = $2 ORDER BY r.index`,
      [workstation, kind],
    )
  ).rows.map(({ text }) => text);
const table = () => wire.spaces.run("dom0", "nft", "list", "table", "inet", "sallyport");

/** Until so many connected ones have it, and how long that took. */
async function reached(what: string, id: string, have: number, began: number): Promise<number> {
  await until(what, async () => (await entry(id))?.reach?.have === have, machines[0], 60_000);
  const ms = Math.round(performance.now() - began);
  process.stdout.write(`overlay: ${what} after ${ms} ms\n`);
  return ms;
}

describe.skipIf(absent)("an exception", () => {
  const SECONDS = 15;
  const count = async (kind: string) => (await records(machines[1]!, kind)).length;

  it("reaches a connected workstation within ten seconds, and ends there by itself", async () => {
    const [, second] = machines as [Machine, Machine];
    const kernel = kernels[1]!;
    const stick = join(folder, "stick.img");
    writeFileSync(stick, Buffer.alloc(64 * 1024, "no file system that the gate reads "));
    kernel.plug("1-2", { units: [stick] });
    await until("it asks", async () => (await count("usb.request")) === 1, second);
    const scanned = () =>
      pool.query<{ trail: number; index: string }>("SELECT trail, index FROM scan WHERE workstation_id = $1", [
        second.workstation,
      ]);
    await until("its scan is there", async () => (await scanned()).rows.length === 1, second);
    const { trail, index } = (await scanned()).rows[0]!;
    const tx = await pool.connect();
    const began = performance.now();
    const asked = { trail, index: Number(index), hours: SECONDS / 3600, reason: "looked at by hand", by: "nora" };
    const { notAfter } = await makeException(tx, parts.consoleKey, { ...asked, now: new Date() }).finally(() =>
      tx.release(),
    );
    const passed = async () => (await records(second, "usb.verdict")).filter((text) => /exception/.test(text)).length;
    await until("it may pass", async () => (await passed()) === 1, second);
    const ms = Math.round(performance.now() - began);
    process.stdout.write(`exception: believed and on the trail after ${ms} ms\n`);
    expect(ms).toBeLessThan(REACHED_MS_MAX);
    const state = async () => (await listRequests(pool, new Date())).rows[0]?.what.state;
    expect(await state()).toBe("allowed");

    await until("its end has come", () => Date.now() > Date.parse(notAfter) + 1_000, second);
    expect(await state()).toBe("ended");
    kernel.unplug("1-2");
    await until("it has gone", async () => (await count("usb.removed")) === 1, second);
    kernel.plug("1-2", { units: [stick] });
    await until("it asks again", async () => (await count("usb.request")) === 2, second);
    expect(await passed()).toBe(1);
    kernel.unplug("1-2");
  });
});

describe.skipIf(absent)("what is denied", () => {
  it("is in force on every connected workstation within ten seconds: a file, a device, an address", async () => {
    const asked = { audience: { fleet: true as const }, hours: 24, reason: "seen at another site" };
    for (const [what, have] of [
      [sha256(BAD), 3],
      ["0951:1666", 3],
      ["203.0.113.0/24", 1], // the others have no firewall, and say so
    ] as const) {
      const began = performance.now();
      const { id } = await deny(parts, by, origin, { ...asked, what });
      expect(await reached(`${what.slice(0, 16)} on ${have} of 3`, id, have, began)).toBeLessThan(REACHED_MS_MAX);
      if (have === 1) expect((await entry(id))?.reach).toMatchObject({ connected: 3, cannot: 2 });
    }
    expect(await table()).toMatch(/ip daddr 203\.0\.113\.0-203\.0\.113\.255 goto deny-[0-9a-f]{12}/);
    const overlay = async () => (await records(machines[0]!, "policy.overlay")).at(-1) ?? "";
    await until(
      "and that is on its trail",
      async () => /order \d+: 3 denied now; 203\.0\.113\.0\/24/.test(await overlay()),
      machines[0],
    );
    const status = await runCli("status", "--state", machines[0]!.state);
    expect(status.stdout).toMatch(/^ {2}denied 3 by the overlay of fleet, order \d+$/m);
    // the very decision that a scan meets
    writeFileSync(join(folder, "bad.img"), BAD);
    const before = (await records(machines[1]!, "usb.scan")).length;
    copyFileSync(join(folder, "bad.img"), join(folder, "sticks-1", "bad.img"));
    await until("it is blocked", async () => (await records(machines[1]!, "usb.scan")).length > before, machines[1]);
    const { rows } = await pool.query(
      "SELECT verdict, reason FROM scan WHERE workstation_id = $1 AND source = 'bad.img'",
      [machines[1]!.workstation],
    );
    expect(rows).toMatchObject([{ verdict: "block", reason: expect.stringContaining("denied everywhere until") }]);
  });

  it("reaches one that was away when it comes back, stays over a restart, is lifted, and ends by itself", async () => {
    const [first, second] = machines as [Machine, Machine, Machine];
    const workstation = second.workstation;
    const restart = async (between: () => Promise<void>) => {
      await stop(children.get(second)!);
      await between();
      begin(second);
    };
    const asked = { audience: { workstation }, hours: 24, reason: "only here", what: "abcd:*" };
    let id = "";
    await restart(async () => {
      ({ id } = await deny(parts, by, origin, asked));
      await until("it is seen to be away", async () => (await entry(id))?.reach?.offline === 1, second);
    });
    await reached("one that was away", id, 1, performance.now());
    // kept on disk: it holds before the console says anything
    await restart(async () => {
      const kept = JSON.parse(readFileSync(join(second.state, "policy.json"), "utf8"));
      expect(
        Object.keys(kept.statements)
          .filter((key) => key.startsWith("overlay/"))
          .sort(),
      ).toEqual(["overlay/fleet", `overlay/workstation/${workstation}`]);
    });
    const began = performance.now();
    await lift(parts, by, origin, { id, reason: "a mistake" });
    const own = async (machine: Machine, audience: string) =>
      (await documentOf(machine)).overlays.find((each: { audience: string }) => each.audience === audience);
    await until(
      "it is lifted there",
      async () => (await own(second, `workstation/${workstation}`))?.entries === 0,
      second,
    );
    expect(performance.now() - began).toBeLessThan(REACHED_MS_MAX);

    const tx = await pool.connect();
    const SECONDS = 6;
    const short = await addDeny(tx, parts.consoleKey, {
      ...{ audience: { fleet: true }, what: { kind: "address", to: "198.51.100.7", protocol: "any" } },
      ...{ hours: SECONDS / 3600, reason: "for a moment", by: "rio", now: new Date() },
    }).finally(() => tx.release());
    await reached("one that ends soon", short.id, 1, performance.now());
    expect(await table()).toContain("198.51.100.7");
    await until("it has ended there", async () => !(await table()).includes("198.51.100.7"), first, 60_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(short.until));
    expect((await entry(short.id))?.ended).toEqual({ how: "ended" });
    await until(
      "and that is on its trail",
      async () => (await records(first, "policy.overlay")).at(-1)?.endsWith("1 ended") ?? false,
      first,
    );
    expect((await own(first, "fleet")).entries).toBe(3);
  });
});

describe.skipIf(absent)("rules that somebody changes by hand", () => {
  const network = async () => (await documentOf(machines[0]!)).sections.network;
  const tampered = async () => {
    await wire.spaces.run("dom0", "nft", "insert", "rule", "inet", "sallyport", "out", "accept");
    return performance.now();
  };
  const seen = async (what: string, began: number, holds: () => Promise<boolean>): Promise<void> => {
    await until(what, holds, machines[0], 90_000);
    const ms = Math.round(performance.now() - began);
    process.stdout.write(`drift: ${what} after ${ms} ms\n`);
    expect(ms).toBeLessThan(SEEN_MS_MAX);
  };

  it("are told and put right within a minute, however rarely policy has the agent report", async () => {
    expect((await network()).outcome).toBe("applied");
    const before = await table();
    const began = await tampered();
    await seen("it is reported as put back", began, async () => /put back/.test((await network()).reason ?? ""));
    expect((await table()).replaceAll(/packets \d+ bytes \d+/g, "")).toBe(
      before.replaceAll(/packets \d+ bytes \d+/g, ""),
    );
    await seen("it is on the trail", began, async () => (await records(machines[0]!, "policy.drift")).length === 1);
    expect(await records(machines[0]!, "policy.drift")).toEqual([
      expect.stringMatching(/^The firewall's rules were changed from outside, and it is put back: chain out, rule/),
    ]);
    await seen("somebody is called", began, async () => {
      const { rows } = await pool.query("SELECT 1 FROM alert WHERE kind = 'policy.drift'");
      return rows.length === 1;
    });
  });

  it("are told and let be in audit mode, and shown as drift", async () => {
    for (const { id } of (await listDenies(pool, new Date())).rows.filter(({ ended }) => ended === null))
      await lift(parts, by, origin, { id, reason: "the test goes on" });
    await publish({ network: { mode: "audit" } });
    await until("the section only audits", async () => (await network()).outcome === "audit", machines[0], 120_000);
    const began = await tampered();
    await seen("it is shown as drift", began, async () => (await network()).outcome === "failed");
    const changed = expect.stringMatching(/^the ruleset was changed from outside: chain out, rule/);
    // as the workstation's page has it
    const { row } = await getWorkstation(pool, machines[0]!.workstation);
    expect(row.drift).toEqual({
      state: "partial",
      sections: expect.arrayContaining([{ name: "network", outcome: "failed", reason: changed }]),
    });
    await seen("it is on the trail", began, async () => (await records(machines[0]!, "policy.drift")).length === 2);
    expect((await records(machines[0]!, "policy.drift")).at(-1)).toMatch(/and audit mode leaves it so/);
    expect(await table()).toMatch(/chain out \{\n\s+accept/);
  });
});
