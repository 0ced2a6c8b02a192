/** The whole thread over a real broker with TLS: enrol, record, send, receive a policy, report. */
import { appendFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { enrolMachine, eveLine, type Machine, runCli, stop, stopAll, until } from "./agent.ts";
import { type Console, startConsole } from "./console.ts";

let console: Console;
beforeAll(async () => {
  console = await startConsole();
});
afterAll(async () => {
  stopAll();
  await console.stop();
});

const numbersOf = (console: Console): number[] =>
  console.records("ids.event").map(({ content }) => (content!.body.event as { dns: { id: number } }).dns.id);
const report = (machine: Machine) => console.reported.get(machine.workstation);

it("a line sent to the agent is committed, a policy is in force and reported, and the status names the trail", async () => {
  const machine = await enrolMachine(console, { tcp: [{ host: "127.0.0.1", port: 0 }] });
  const child = machine.start();
  const port = () =>
    Object.entries(report(machine)?.sources ?? {})
      .find(([name]) => name.includes("tcp"))?.[1]
      .reason?.match(/:(\d+)$/)?.[1];
  await until("it reports where it listens", () => port() !== undefined, machine);
  const socket = connect(Number(port()), "127.0.0.1");
  socket.write("<13>1 2026-11-24T08:46:00Z guest app 1 - - hello from the guest\n");
  await until(
    "the line is committed",
    () => console.records("guest.log").some(({ content }) => content?.text.includes("hello from the guest")),
    machine,
  );

  const digest = console.publishPolicy(machine.workstation, {
    log: { linesPerSecond: 1, burstLines: 3 },
    agent: { reportSeconds: 5 },
  });
  await until("the policy is reported", () => report(machine)?.policy?.digest === digest, machine);
  expect(report(machine)).toMatchObject({
    sections: {
      log: { outcome: "applied" },
      agent: { outcome: "applied" },
      network: { outcome: "not-applied" },
      usb: { outcome: "not-applied" },
    },
  });
  for (let number = 0; number < 50; number++)
    socket.write(`<13>1 2026-11-24T08:46:00Z guest app 1 - - burst ${number}\n`);
  await until("what was held back is counted", () => console.records("guest.suppressed").length > 0, machine);
  const kept = console.records("guest.log").filter(({ content }) => content?.text.includes("burst")).length;
  const held = console
    .records("guest.suppressed")
    .reduce((sum, { content }) => sum + (content!.body.lines as number), 0);
  expect(kept + held).toBe(50);
  expect(console.records("policy.applied")).toHaveLength(1);

  const status = JSON.parse((await runCli("status", "--json", "--state", machine.state)).stdout);
  expect(status).toMatchObject({ workstation: machine.workstation, policy: { digest } });
  expect(status.trail.checkpoint.split("\n")[0]).toBe(`sallyport/${machine.workstation}/${status.trail.id}`);
  expect((await runCli("status", "--state", machine.state)).stdout).toContain(
    "section network  not-applied: No guest's device is named",
  );
  socket.destroy();
  await stop(child);
  expect(child.exitCode).toBe(0);
  expect(console.refusals).toEqual([]);
});

it("an EVE file is sent once and in order while the agent is killed and the broker loses what it acknowledged", async () => {
  const machine = await enrolMachine(console);
  const eve = join(machine.state, "eve.json");
  writeFileSync(eve, "");
  machine.config({ eve: [eve] });
  console.loseShare = 0.3;
  const before = numbersOf(console).length;
  let child = machine.start();
  let number = 0;
  for (let round = 0; round < 6; round++) {
    for (let line = 0; line < 400; line++) appendFileSync(eve, eveLine(number++));
    const target = Math.floor(Math.random() * 400) + round * 400;
    await until(
      "some of it is committed",
      () => numbersOf(console).length - before >= Math.min(target, number - 400),
      machine,
    );
    await stop(child, "SIGKILL");
    child = machine.start();
  }
  await until("all is committed", () => numbersOf(console).length - before >= number, machine);
  console.loseShare = 0;
  expect(numbersOf(console).slice(before)).toEqual([...Array(number).keys()]);
  expect(console.lostBatches).toBeGreaterThan(0);
  expect(console.refusals).toEqual([]);
  await stop(child);
});
