/** What can go wrong between an agent and its console, one test for each promise. */
import { generateKeyPairSync, randomUUID, X509Certificate } from "node:crypto";
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GroupId, Sha256 } from "@sallyport/shared/base/ids.ts";
import { EMPTY_EDGE } from "@sallyport/shared/trail/tree.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { signerOf } from "../../../../packages/shared/test/keys.ts";
import { enrolMachine, eveLine, type Machine, runCli, stop, stopAll, until } from "./agent.ts";
import { type Console, emptyRoot, startConsole } from "./console.ts";

let console: Console;
beforeAll(async () => {
  console = await startConsole();
});
afterEach(stopAll);
afterAll(() => console.stop());

async function machineWithEve(): Promise<{
  machine: Machine;
  eve: string;
  write(count: number): void;
  numbers(): number[];
}> {
  const machine = await enrolMachine(console);
  const eve = `${machine.state}-eve.json`;
  writeFileSync(eve, "");
  machine.config({ eve: [eve] });
  let number = 0;
  const before = console.records("ids.event").length;
  return {
    machine,
    eve,
    write(count) {
      let lines = "";
      for (let at = 0; at < count; at++) lines += eveLine(number++);
      appendFileSync(eve, lines);
    },
    numbers: () =>
      console
        .records("ids.event")
        .slice(before)
        .map(({ content }) => (content!.body.event as { dns: { id: number } }).dns.id),
  };
}
const upTo = (count: number): number[] => [...Array(count).keys()];
const openTrail = (machine: Machine) => console.trails.get(console.newest.get(machine.workstation)!)!;

it("a network that goes away in mid-stream loses and doubles nothing", async () => {
  const { machine, write, numbers } = await machineWithEve();
  const child = machine.start();
  for (let round = 0; round < 3; round++) {
    write(300);
    await until("some of it arrived", () => numbers().length > round * 600, machine);
    const restore = await console.cut();
    write(300);
    await restore();
  }
  await until("all of it arrived", () => numbers().length >= 1_800, machine);
  expect(numbers()).toEqual(upTo(1_800));
  await stop(child);
});

it("a receipt that the console did not sign releases nothing and is recorded", async () => {
  const { machine, write, numbers } = await machineWithEve();
  const child = machine.start();
  write(10);
  await until("it arrived", () => numbers().length === 10, machine);
  const forger = signerOf(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string);
  console.say(
    machine.workstation,
    { trail: openTrail(machine).id, size: 1_000_000, root: emptyRoot, safe: 1_000_000, answer: "new" },
    forger,
  );
  const isTold = () =>
    console.records("agent.malformed").some(({ content }) => content?.text.includes("the console did not sign"));
  await until("it is told", isTold, machine);
  write(10);
  await until("the rest arrived", () => numbers().length === 20, machine);
  expect(numbers()).toEqual(upTo(20));
  await stop(child);
});

it("a disk restored from a snapshot opens a new trail that names the old one, and sends what is unsent", async () => {
  const { machine, write, numbers } = await machineWithEve();
  let child = machine.start();
  write(50);
  await until("the first part arrived", () => numbers().length === 50, machine);
  await stop(child);
  const snapshot = `${machine.state}-snapshot`;
  cpSync(machine.state, snapshot, { recursive: true });
  child = machine.start();
  write(50);
  await until("the second part arrived", () => numbers().length === 100, machine);
  await stop(child);
  const old = openTrail(machine);
  rmSync(machine.state, { recursive: true });
  cpSync(snapshot, machine.state, { recursive: true });
  child = machine.start();
  await until("a new trail", () => openTrail(machine) !== old, machine);
  write(5);
  await until("it goes on", () => numbers().at(-1) === 104, machine);
  const opened = openTrail(machine).records[0]!.content!.body;
  expect(opened).toMatchObject({ previous: { trail: old.id, reason: "older-disk", size: old.edge.size } });
  expect(old.closed).toBe(true);
  // what the restored disk had not read yet is read again: kept twice rather than lost
  expect([...new Set(numbers())]).toEqual(upTo(105));
  expect(console.refusals).toEqual([]);
  await stop(child);
});

it("a console restored from a backup gets again what is still here", async () => {
  const { machine, write, numbers } = await machineWithEve();
  console.safeLag = 1_000;
  const child = machine.start();
  write(100);
  await until("all arrived", () => numbers().length === 100, machine);
  const trail = openTrail(machine);
  // the backup was taken before anything of this trail
  console.awake = false;
  Object.assign(trail, { edge: EMPTY_EDGE, leaves: [], records: [] });
  console.epoch++;
  console.awake = true;
  console.receipt(machine.workstation, trail.id, "stand");
  await until("all is there again", () => numbers().length === 100, machine);
  expect(numbers()).toEqual(upTo(100));
  console.safeLag = 0;
  expect(console.refusals).toEqual([]);
  await stop(child);
});

it("a receipt that goes back with no restore stops the sending, with an alarm, and nothing is lost", async () => {
  const { machine, write, numbers } = await machineWithEve();
  const child = machine.start();
  write(20);
  await until("all arrived", () => numbers().length === 20, machine);
  const { id } = openTrail(machine);
  console.awake = false;
  const sayLess = () =>
    console.say(machine.workstation, { trail: id, size: 0, root: emptyRoot, safe: 0, answer: "stand" });
  const logged = (event: string) => machine.log.some((line) => line.includes(event));
  sayLess();
  await until("one alone is doubted", () => logged("receipt.doubted"), machine);
  expect(logged("uplink.alarm")).toBe(false);
  write(20);
  const alarmed = () => {
    if (!logged("uplink.alarm")) sayLess();
    return logged("uplink.alarm");
  };
  await until("the alarm is logged", alarmed, machine);
  console.awake = true;
  console.epoch += 0;
  await until("it asks, and goes on", () => numbers().length === 40, machine);
  expect(numbers()).toEqual(upTo(40));
  expect(console.records("agent.malformed").some(({ content }) => content?.text.startsWith("Sending stopped"))).toBe(
    true,
  );
  await stop(child);
});

it("a policy that is forged, of another group or older is refused and reported; the last good one stays over restarts", async () => {
  const machine = await enrolMachine(console);
  let child = machine.start();
  const report = () => console.reported.get(machine.workstation);
  await until("it reports", () => report() !== undefined, machine);
  const digest = console.publishPolicy(machine.workstation, { log: { lingerMs: 5 } }, { order: 10 });
  await until("it is in force", () => report()?.policy?.digest === digest, machine);
  const forger = signerOf(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string);
  const refusals: [object, string][] = [
    [{ order: 11, by: forger }, "signatures"],
    [{ order: 12, group: randomUUID() as GroupId }, "audience"],
    [{ order: 9 }, "old-order"],
  ];
  for (const [more, code] of refusals) {
    console.publishPolicy(machine.workstation, { log: { lingerMs: 7 } }, more);
    await until(`it is refused (${code})`, () => report()?.refused?.code === code, machine);
    expect(report()?.policy?.digest).toBe(digest);
  }
  const told = () => console.records("policy.refused").map(({ content }) => content!.body.code);
  await until("the refusals are recorded", () => told().length === 3, machine);
  expect(told()).toEqual(["signatures", "audience", "old-order"]);
  await stop(child, "SIGKILL");
  console.reported.delete(machine.workstation);
  child = machine.start();
  await until("it reports again", () => report()?.policy !== undefined, machine);
  expect(report()?.policy).toMatchObject({ digest, order: 10 });
  expect(console.records("policy.applied").filter(({ content }) => content!.body.digest === digest)).toHaveLength(1);
  await stop(child);
});

it("a broker whose rules are of before the deny overlay refuses that one topic; the agent says so and goes on", async () => {
  console.oldRules = true;
  const machine = await enrolMachine(console);
  let child = machine.start();
  const report = () => console.reported.get(machine.workstation);
  await until("it reports", () => report()?.sources.overlay !== undefined, machine);
  expect(report()?.sources.overlay).toMatchObject({
    state: "failed",
    reason: expect.stringMatching(
      /^the broker refuses sallyport\/1\/.*\/overlay, so nothing that is blocked everywhere/,
    ),
  });
  const digest = console.publishPolicy(machine.workstation, { log: { lingerMs: 8 } });
  await until("its policy comes all the same", () => report()?.policy?.digest === digest, machine);
  console.oldRules = false;
  await stop(child, "SIGKILL");
  console.reported.delete(machine.workstation);
  child = machine.start();
  await until("it is whole again", () => report() !== undefined, machine);
  expect(report()?.sources.overlay).toBeUndefined();
  await stop(child);
});

it("a policy file turned to garbage under a killed agent is told on the console, and its copy stays in force", async () => {
  const machine = await enrolMachine(console);
  let child = machine.start();
  const report = () => console.reported.get(machine.workstation);
  const digest = console.publishPolicy(machine.workstation, { log: { lingerMs: 6 } }, { order: 30 });
  await until("it is in force", () => report()?.policy?.digest === digest, machine);
  await stop(child, "SIGKILL");
  writeFileSync(join(machine.state, "policy.json"), "\u0000 garbage");
  console.reported.delete(machine.workstation);
  child = machine.start();
  const isTold = () =>
    console
      .records("agent.malformed")
      .some(({ entry, content }) => content?.body.source === "policy" && entry.severity === "critical");
  await until("it is told", isTold, machine);
  await until("it reports again", () => report() !== undefined, machine);
  expect(report()?.policy).toMatchObject({ digest, order: 30 });
  await stop(child);
});

it("a certificate near its end is renewed by proof of the key, and so is one that has run out", async () => {
  console.certificateSeconds = 1;
  const machine = await enrolMachine(console);
  console.certificateSeconds = 3_600;
  const before = readFileSync(join(machine.state, "enrolment", "tls.pem"), "utf8");
  await until("it has run out", () => Date.now() > Date.parse(new X509Certificate(before).validTo));
  const child = machine.start();
  await until("it is connected", () => console.reported.has(machine.workstation), machine);
  expect(readFileSync(join(machine.state, "enrolment", "tls.pem"), "utf8")).not.toBe(before);
  await stop(child);
});

it("enrolment refuses, in one sentence, what is no token, a used one, and a console that is not the one that made it", async () => {
  const state = join((await enrolMachine(console)).state, "other");
  const refused = async (token: string, words: string) => {
    const ran = await runCli("enrol", token, "--state", state);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain(words);
    expect(ran.stderr.trim().split("\n")).toHaveLength(1);
  };
  await refused("nonsense", "no enrolment token");
  const used = console.token();
  expect((await runCli("enrol", used, "--state", `${state}-2`)).code).toBe(0);
  await refused(used, "used already");
  const { url, secret } = JSON.parse(Buffer.from(console.token().slice("sallyport1.".length), "base64url").toString());
  await refused(printToken({ url, secret, ca: "ab".repeat(32) as Sha256 }), "is not the console that made this token");
  expect((await runCli("run", "--state", state)).stderr).toContain("This machine is not enrolled");
  expect((await runCli("enrol", console.token(), "--state", `${state}-2`)).stderr).toContain("enrolled already");
});
