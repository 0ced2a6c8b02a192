/** A disk that is full under the spool: told, gone on from, and what was lost is named. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { SessionId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { LogSection } from "@sallyport/shared/policy/log.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterAll, afterEach, expect, it } from "vitest";
import { ed25519Signer } from "../../src/dom0/crypto.ts";
import { COMMIT_RECORDS_MAX, REFUSED_RECORDS_MAX } from "../../src/limits.ts";
import { Intake } from "../../src/spool/intake.ts";
import { spoolPath } from "../../src/spool/open.ts";
import { openDatabase } from "../../src/spool/schema.ts";
import { Spool } from "../../src/spool/spool.ts";
import { storeOf } from "../../src/spool/store.ts";
import { enrolMachine, eveLine, runCli, stop, stopAll, until } from "./agent.ts";
import { startConsole } from "./console.ts";
import { fill, mountSmall } from "./small-disk.ts";

afterEach(stopAll);
const NOW = 1_764_000_000_000;
const MIB = 1_048_576;

const line = (number: number): Observation<"guest.log"> => ({
  kind: "guest.log",
  severity: "info",
  time: NOW,
  text: `line ${number}`,
  body: { via: "udp", from: "10.0.0.2", format: "plain", message: "x".repeat(500) },
});
const verdict = (number: number): Observation<"usb.verdict"> => ({
  kind: "usb.verdict",
  severity: "info",
  time: NOW,
  text: `verdict ${number}`,
  body: { number },
});

/** A spool whose file may grow by so many pages: SQLite's own answer to a full disk (SQLITE_FULL). */
function smallSpool(pages: number) {
  const state = mkdtempSync(join(tmpdir(), "sallyport-full-"));
  const database = openDatabase(spoolPath(state));
  const { page_count } = database.prepare("PRAGMA page_count").get() as { page_count: number };
  database.exec(`PRAGMA max_page_count=${page_count + pages}`);
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const identity = {
    workstation: "11111111-1111-4111-8111-111111111111" as WorkstationId,
    signer: ed25519Signer(pem),
    session: "22222222-2222-4222-8222-222222222222" as SessionId,
    agentVersion: "0",
    hostname: "dom0",
  };
  const spool = new Spool(storeOf(database), identity, () => NOW, 1_024 * MIB);
  const troubles: string[] = [];
  let mended = 0;
  const intake = new Intake({
    spool,
    log: () => LogSection.parse({ linesPerSecond: 100_000, burstLines: 1_000_000 }),
    now: () => NOW,
    monotonic: () => performance.now(),
    onTrouble: ({ message }) => troubles.push(message),
    onMended: () => mended++,
  });
  /** As a console takes it: read what is held, remember it, acknowledge all of it. */
  const taken: { kind: string; text: string; body: Record<string, unknown> }[] = [];
  const drain = () => {
    for (let from = spool.base; from < spool.size; ) {
      const { records, end } = spool.read(from, 1_000, MIB);
      for (const { entry, content } of records) taken.push({ ...JSON.parse(entry), ...JSON.parse(content!) });
      from = end;
    }
    const size = spool.size;
    const root = toHex(spool.rootAt(size)) as Sha256;
    const { workstation } = identity;
    const time = "2026-11-24T10:00:00.000Z";
    spool.settle({ workstation, trail: spool.trail, epoch: 0, size, root, safe: size, answer: "new", time });
  };
  return { state, spool, intake, troubles, isMended: () => mended > 0, taken, drain };
}

it("what a full disk did not take is bounded in memory, and named in a gap record once there is room", async () => {
  const { state, intake, spool, troubles, isMended, taken, drain } = smallSpool(200);
  const answers: Promise<{ kept: number; suppressed: number; refused: number }>[] = [];
  let given = 0;
  const give = (count: number) => {
    for (let at = 0; at < count; at++, given++)
      answers.push(intake.emit({ observations: [given % 10 === 0 ? verdict(given) : line(given)] }));
  };
  give(1);
  await answers[0];
  give(2_000);
  await until("the disk refuses", () => intake.refused !== undefined);
  expect(troubles[0]).toContain("full");
  let answered = 0;
  give(2 * REFUSED_RECORDS_MAX);
  for (const answer of answers) void answer.then(() => answered++);
  await until("what is beyond the bound is answered", () => answered > 0);
  expect(answers.length - answered).toBeLessThanOrEqual(REFUSED_RECORDS_MAX + COMMIT_RECORDS_MAX);
  // the way out is open, and makes the room
  await until("all is answered", () => {
    drain();
    return answered === given;
  });
  expect(isMended()).toBe(true);
  expect(intake.refused).toBeUndefined();
  const sums = { kept: 0, suppressed: 0, refused: 0 };
  for (const each of await Promise.all(answers))
    for (const name of ["kept", "suppressed", "refused"] as const) sums[name] += each[name];
  expect(sums.kept + sums.suppressed + sums.refused).toBe(given);
  expect(sums.suppressed).toBeGreaterThan(0);
  expect(sums.refused).toBeGreaterThan(0);
  const gaps = () => taken.filter(({ kind }) => kind === "agent.gap");
  await until("the loss is told", () => {
    drain();
    return gaps().length > 0 && intake.refused === undefined;
  });
  const gapsSaid = gaps().map(({ body }) => Number(body.contents));
  expect(gapsSaid.reduce((sum, each) => sum + each, 0)).toBe(sums.suppressed + sums.refused);
  for (const { body } of gaps()) expect(body).toMatchObject({ reason: "disk-refused", to: body.from });
  const lines = taken.filter(({ kind }) => kind === "guest.suppressed").map(({ body }) => Number(body.lines));
  expect(lines.reduce((sum, each) => sum + each, 0)).toBe(sums.suppressed);
  const kept = taken.filter(({ text }) => /^(line|verdict) /.test(text)).map(({ text }) => Number(text.split(" ")[1]));
  expect(kept).toHaveLength(sums.kept);
  expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
  intake.close();
  spool.close();
  rmSync(state, { recursive: true });
});

it.each([
  ["is full already", true],
  ["turns out to be full", false],
])("whoever waits for a disk that %s is let go when the agent ends", async (_name, isKnown) => {
  const { state, intake, spool } = smallSpool(0);
  const parcel = () => ({ observations: Array.from({ length: 500 }, (_, at) => verdict(at)) });
  const first = expect(intake.emit(parcel())).rejects.toThrow("the agent is stopping");
  if (isKnown) await until("the disk refuses", () => intake.refused !== undefined);
  intake.end();
  await first;
  await expect(intake.emit(parcel())).rejects.toThrow("the agent is stopping");
  intake.close();
  spool.close();
  rmSync(state, { recursive: true });
});

it("an input that waits for room in the spool is let go when the agent ends", async () => {
  const { state, intake, spool } = smallSpool(200);
  spool.setBytesMax(1);
  const emits = [1, 2].map((value) =>
    expect(intake.emit({ observations: [verdict(value)], position: { name: "gate", value } })).rejects.toThrow(
      "the agent is stopping",
    ),
  );
  intake.end();
  await Promise.all(emits);
  // nor does what needs no room go past it
  await expect(intake.emit({ observations: [], position: { name: "gate", value: 3 } })).rejects.toThrow("stopping");
  expect(spool.position("gate")).toBeUndefined();
  intake.close();
  spool.close();
  rmSync(state, { recursive: true });
});

it("an input that can wait waits for a full disk, and loses nothing", async () => {
  const { state, intake, spool, taken, drain } = smallSpool(200);
  let stands = 0;
  const source = (async () => {
    while (stands < 6_000) {
      const observations = Array.from({ length: 500 }, (_, at) => line(stands + at));
      const position = { name: "file", value: stands + 500 };
      expect(await intake.emit({ observations, position })).toEqual({ kept: 500, suppressed: 0, refused: 0 });
      stands += 500;
    }
  })();
  await until("the disk refuses", () => intake.refused !== undefined);
  await until("it is all through", () => {
    drain();
    return stands === 6_000;
  });
  await source;
  drain();
  expect(spool.position("file")).toBe(6_000);
  expect(taken.filter(({ kind }) => kind === "guest.log").map(({ text }) => text)).toEqual(
    Array.from({ length: 6_000 }, (_, at) => `line ${at}`),
  );
  intake.close();
  spool.close();
  rmSync(state, { recursive: true });
});

it("what moves a position without a record does not overtake one that waits for room", async () => {
  const { state, intake, spool } = smallSpool(200);
  spool.setBytesMax(1);
  const told: string[] = [];
  const emits = [
    intake.emit({ observations: [verdict(1)], position: { name: "gate", value: 1 } }),
    intake.emit({ observations: [], position: { name: "gate", value: 2 } }),
    intake.emit({ observations: [], position: { name: "other", value: 3 } }).then(() => told.push("other")),
  ];
  await until("another's goes through", () => told.length > 0);
  expect(spool.position("gate")).toBeUndefined();
  spool.setBytesMax(1_024 * MIB);
  await Promise.all(emits);
  expect(spool.position("gate")).toBe(2);
  intake.close();
  spool.close();
  rmSync(state, { recursive: true });
});

const volume = mountSmall(6);
afterAll(() => {
  if (volume) execFileSync("umount", ["-l", volume], { stdio: "ignore" });
});

it.skipIf(!volume)("a test fills its own volume and never the machine's disk", () => {
  const gone = mountSmall(1)!;
  fill(join(gone, "filler"));
  execFileSync("umount", ["-l", gone], { stdio: "ignore" });
  expect(() => fill(join(gone, "filler"))).toThrow("is no volume of its own");
  rmSync(gone, { recursive: true });
});

// elsewhere the tests above take the same way, by SQLite's own bound
it.skipIf(!volume)(
  "an agent on a full volume goes on, says so, sends what it has, and loses nothing",
  { timeout: 600_000 },
  async () => {
    const console = await startConsole();
    const elsewhere = process.env.TMPDIR;
    const outside = mkdtempSync(join(tmpdir(), "sallyport-outside-"));
    process.env.TMPDIR = volume;
    const machine = await enrolMachine(console);
    if (elsewhere === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = elsewhere;
    const eve = join(outside, "eve.json");
    writeFileSync(eve, "");
    machine.config({ eve: [eve] });
    let written = 0;
    const write = (count: number) => {
      appendFileSync(eve, Array.from({ length: count }, () => eveLine(written++)).join(""));
    };
    const numbers = () =>
      console.records("ids.event").map(({ content }) => (content!.body.event as { dns: { id: number } }).dns.id);
    const spoolState = () => console.reported.get(machine.workstation)?.sources.spool?.state;
    const spooled = async () =>
      (
        JSON.parse((await runCli("status", "--state", machine.state, "--json")).stdout) as {
          spool: { records: number };
        }
      ).spool.records;
    const child = machine.start();
    write(50);
    await until("some arrived", () => numbers().length === 50, machine);
    const restore = await console.cut();
    write(50);
    await until("the network is gone", () => machine.log.some((each) => each.includes("link.lost")), machine);
    await until("what was written is spooled", async () => (await spooled()) >= 50, machine);
    const filler = join(volume!, "filler");
    fill(filler);
    write(1_500); // within the burst of one guest
    const isRefused = () => machine.log.some((each) => each.includes("spool.refused"));
    const fillUp = () => {
      fill(filler);
      return isRefused();
    };
    await until("the disk refuses", fillUp, machine);
    await restore();
    await until("the console hears of it", () => spoolState() === "failed", machine, 120_000);
    await until("what was there is sent", () => numbers().length >= 100, machine, 120_000);
    expect(child.exitCode).toBeNull();
    rmSync(filler);
    await until("all arrived", () => numbers().length === written, machine, 120_000);
    expect(numbers()).toEqual([...Array(written).keys()]);
    await until("the console hears that it is over", () => spoolState() === undefined, machine, 120_000);
    expect(child.exitCode).toBeNull();
    await stop(child);
    await console.stop();
    rmSync(outside, { recursive: true });
  },
);
