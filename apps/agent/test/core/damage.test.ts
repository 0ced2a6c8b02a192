/** A policy file that is not what was written, on a real disk beside a real spool. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import pino from "pino";
import { beforeEach, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { NO_SPARE, spareIn } from "../../src/dom0/spare.ts";
import { copyPath, keptPath } from "../../src/policy/kept.ts";
import { PolicyKeeper } from "../../src/policy/policy.ts";
import { keepMarks, recoverKept } from "../../src/policy/recover.ts";
import { openSpool } from "../../src/spool/open.ts";
import { prepare } from "../../src/spool/prepare.ts";
import type { Spool } from "../../src/spool/spool.ts";

const console = newSigner();
const approver = newSigner();
const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const group = "22222222-2222-4222-8222-222222222222" as GroupId;
const other = "33333333-3333-4333-8333-333333333333" as GroupId;
const self = { workstation, group, consoleKeys: [toBase64(console.publicKey)] };
const session = "44444444-4444-4444-8444-444444444444" as SessionId;
const identity = { workstation, signer: newSigner(), session, agentVersion: "0", hostname: "dom0" };
const issued = "2026-11-24T10:00:00.000Z";
const now = () => Date.parse(issued);

/** Into a group whose policies an approver must sign: the console's key alone is not enough. */
const membership = signStatement(
  sha256,
  [console],
  { type: "membership", audience: { workstation }, order: 4, issued },
  {
    workstation,
    group: other,
    groupName: "other",
    signers: {
      threshold: 1,
      keys: [{ id: keyId(sha256, approver.publicKey), publicKey: toBase64(approver.publicKey), role: "approver" }],
    },
  },
);
function policy(order: number, of = other, by = approver): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs: order } });
  const carried = { group: of, digest: policyDigest(sha256, whole), policy: whole };
  return signStatement(sha256, [by], { type: "policy", audience: { group: of }, order, issued }, carried);
}

let state: string;
let spool: Spool;
let told: Observation[];
/** What enrolment left on disk, where a test has it. */
let enrolled: SignedStatement | undefined;
/** The agent's start as main.ts wires it; nothing of the one before was closed, as after kill -9. */
function start(takesMarks = () => true, spare = NO_SPARE): PolicyKeeper {
  told = [];
  spool = openSpool(state, identity, now, 64 * 1_048_576, () => {});
  const tell = (observation: Observation) => {
    told.push(observation);
    spool.append([prepare(observation)], []);
  };
  const full = () => {
    throw new Error("database or disk is full");
  };
  const memory = {
    remember: (key: string, value: Json) => (takesMarks() ? spool.remember(key, value) : full()),
    remembered: (key: string) => spool.remembered(key),
  };
  const kept = recoverKept({ state, workstation, ...(enrolled && { membership: enrolled }), memory, tell, now });
  return new PolicyKeeper({
    spare,
    state,
    self,
    kept,
    keepMarks(next) {
      if (!takesMarks()) full();
      keepMarks(spool, workstation, next);
    },
    now,
    monotonic: () => 0,
    tell,
    commands: { holds: () => false, refusal: () => undefined, take() {} },
    changed() {},
    log: pino({ level: "silent" }),
  });
}
const send = (keeper: PolicyKeeper, ...statements: SignedStatement[]) =>
  keeper.desired(Buffer.from(JSON.stringify({ statements })));
const damaged = () => readdirSync(state).filter((name) => name.endsWith(".damaged"));
const GARBAGE = "\u0000{ not what was written";

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-damage-"));
  send(start(), membership, policy(7), policy(9));
  expect(told).toEqual([]);
});

it("a policy whose marks a full spool does not take is in force, and they rise once there is room", () => {
  let isFull = true;
  const keeper = start(() => !isFull);
  send(keeper, policy(10));
  expect(keeper.inForce?.order).toBe(10);
  expect(keeper.unkept).toBe("database or disk is full");
  const marks = () => spool.remembered("policy-marks") as { orders: Record<string, number> };
  expect(marks().orders[`policy/group/${other}`]).toBe(9);
  // nor is that a reason not to start
  expect(start(() => !isFull).inForce?.order).toBe(10);
  isFull = false;
  keeper.keepAgain();
  expect(keeper.unkept).toBeUndefined();
  expect(marks().orders[`policy/group/${other}`]).toBe(10);
});

it("the floor that a full disk did not take holds over a start, and is written once there is room", () => {
  const later = now() + 3_600_000;
  const beyond = (disk: string) => JSON.stringify({ ...JSON.parse(disk), floor: later });
  const keeper = start(undefined, { ...NO_SPARE, beyond });
  expect(keeper.floor()).toBe(later);
  keeper.keepAgain();
  expect(start().floor()).toBe(later);
});

it("what was revoked and has ended since is no other text: what a full disk did not take goes on from it", () => {
  const disk = JSON.parse(readFileSync(keptPath(state), "utf8"));
  // the floor is written as it moves, and takes nothing out
  disk.revoked = [1, -1].map((ms, at) => ({
    exception: "ab"[at]!.repeat(64),
    until: new Date(disk.floor + ms).toISOString(),
  }));
  for (const path of [keptPath(state), copyPath(state)]) writeFileSync(path, `${JSON.stringify(disk)}\n`);
  const spare = spareIn(state, "unkept");
  spare.keep(canonicalText(disk), JSON.stringify({ ...disk, floor: disk.floor + 1_000 }));
  expect(start(undefined, spare).floor()).toBe(disk.floor + 1_000);
});

it("a whole file whose copy is not the same, on a disk that takes nothing, holds all the same", () => {
  const older = readFileSync(copyPath(state), "utf8").replace(`"floor":${now()}`, `"floor":${now() - 1}`);
  writeFileSync(copyPath(state), older);
  mkdirSync(`${copyPath(state)}.new`);
  expect(start().inForce?.order).toBe(9);
  expect(told).toEqual([]);
  expect(readFileSync(copyPath(state), "utf8")).toBe(older);
  rmdirSync(`${copyPath(state)}.new`);
  expect(start().inForce?.order).toBe(9);
  expect(readFileSync(copyPath(state), "utf8")).toBe(readFileSync(keptPath(state), "utf8"));
});

it("a damaged file is told as critical and kept aside, and its copy holds the last good policy", () => {
  writeFileSync(keptPath(state), GARBAGE);
  const keeper = start();
  expect(told).toMatchObject([
    { kind: "agent.malformed", severity: "critical", body: { source: "policy", from: keptPath(state) } },
  ]);
  expect(Buffer.from((told[0]!.body as { rawBase64: string }).rawBase64, "base64").toString()).toBe(GARBAGE);
  expect(spool.read(0, 10, 1_048_576).records.map(({ content }) => JSON.parse(content!).text)).toContain(told[0]!.text);
  expect(damaged().map((name) => readFileSync(join(state, name), "utf8"))).toEqual([GARBAGE]);
  expect(keeper.inForce?.order).toBe(9);
  expect(keeper.group).toBe(other);
  expect(start().inForce?.order).toBe(9);
  expect(told).toEqual([]);
});

const losses: [string, (path: string) => void][] = [
  ["garbage", (path) => writeFileSync(path, GARBAGE)],
  ["empty", (path) => writeFileSync(path, "")],
  ["gone", (path) => rmSync(path)],
];
it.each(losses)(
  "where file and copy are %s, older statements and the old group's are refused, and the last ones are taken again",
  (_, lose) => {
    for (let round = 0; round < 2; round++) {
      lose(keptPath(state));
      lose(copyPath(state));
      const keeper = start();
      expect(told).toMatchObject([{ kind: "agent.malformed", severity: "critical" }]);
      expect(keeper.inForce).toBeUndefined();
      expect(keeper.group).toBe(other);
      send(keeper, policy(7));
      expect(keeper.refused).toMatchObject({ code: "old-order", order: 7 });
      send(keeper, policy(20, group, console));
      expect(keeper.refused).toMatchObject({ code: "audience" });
      send(keeper, policy(20, other, console));
      expect(keeper.refused).toMatchObject({ code: "signatures" });
      start();
      expect(told).toEqual([]);
    }
    const keeper = start();
    send(keeper, membership, policy(9));
    expect(keeper.inForce?.order).toBe(9);
    expect(keeper.refused).toBeUndefined();
  },
);

it("a file put back from an older time is told, and its newer copy holds", () => {
  const before = readFileSync(keptPath(state));
  send(start(), policy(15));
  writeFileSync(keptPath(state), before);
  const keeper = start();
  expect(told).toMatchObject([{ severity: "critical" }]);
  expect(keeper.inForce?.order).toBe(15);
});

it("a file put back from an older time with its copy is told, and orders do not go back with it", () => {
  const before = readFileSync(keptPath(state));
  send(start(), policy(15));
  for (const path of [keptPath(state), copyPath(state)]) writeFileSync(path, before);
  const keeper = start();
  expect(told).toMatchObject([{ severity: "critical" }]);
  send(keeper, policy(12));
  expect(keeper.refused).toMatchObject({ code: "old-order" });
  send(keeper, policy(15));
  expect(keeper.inForce?.order).toBe(15);
});

it("a floor that was taken back stays so where a kill left the marks of before, and comes from them where the file is lost", () => {
  const wrong = Date.parse("2999-01-01T00:00:00Z");
  const marks = spool.remembered("policy-marks") as { floor: number };
  spool.remember("policy-marks", { ...marks, floor: wrong });
  expect(start().floor()).toBe(now());
  expect(told).toEqual([]);
  spool.remember("policy-marks", { ...marks, floor: wrong });
  for (const path of [keptPath(state), copyPath(state)]) rmSync(path);
  expect(start().floor()).toBe(wrong);
});

it("a state without copy and marks, as older agents wrote it, is read and gets both", () => {
  rmSync(copyPath(state));
  spool.remember("policy-marks", null);
  expect(start().inForce?.order).toBe(9);
  expect(told).toEqual([]);
  expect(existsSync(copyPath(state))).toBe(true);
  expect(spool.remembered("policy-marks")).toMatchObject({ orders: { [`policy/group/${other}`]: 9 } });
});

it("what enrolment said of the signers holds before the console has sent anything, and after all else is lost", () => {
  enrolled = membership;
  state = mkdtempSync(join(tmpdir(), "sallyport-damage-"));
  try {
    const first = start();
    send(first, policy(1, other, console));
    expect(first.refused).toMatchObject({ code: "signatures" });
    send(first, policy(1));
    expect(first.inForce?.order).toBe(1);
    spool.close();
    for (const name of readdirSync(state)) rmSync(join(state, name), { recursive: true });
    const again = start();
    send(again, policy(2, other, console));
    expect(again.refused).toMatchObject({ code: "signatures" });
    expect(again.group).toBe(other);
  } finally {
    enrolled = undefined;
  }
});
