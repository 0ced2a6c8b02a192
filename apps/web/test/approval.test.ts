/** What waits for approvers' signatures, from asking to being in force, against a real Postgres; what goes down is judged by
 *  the very function that a workstation judges by. */
import "reflect-metadata";
import { randomUUID } from "node:crypto";
import type { Signing } from "@sallyport/shared/approval/proposal.ts";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { Membership, type SignedStatement, type Signers } from "@sallyport/shared/policy/statement.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import { type Signer, signText } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { proposedPolicy } from "../src/approval/described.ts";
import { propose } from "../src/approval/propose.ts";
import { takeSigning } from "../src/approval/sign.ts";
import { type Choice, changeSigners } from "../src/approval/signers.ts";
import { countWaiting, getProposal, getSigners, listOver, listWaiting } from "../src/approval/store.ts";
import { endExpired, withdraw } from "../src/approval/withdraw.ts";
import { ask } from "../src/command/ask.ts";
import { due } from "../src/dispatch/due.ts";
import { readSigners } from "../src/dispatch/sign.ts";
import { withRecord } from "../src/person/act.ts";
import { publish, publishedAct } from "../src/policy/publish.ts";
import { begin } from "../src/rollout/act.ts";
import { hash, verify } from "../src/trail/crypto.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { move } from "../src/workstation/change.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";

const [consoleKey, anna, ben, cleo, thief] = [newSigner(), newSigner(), newSigner(), newSigner(), newSigner()];
const recordConsole = consoleRecorder(consoleKey);
const NORA = { id: "nora", email: "nora@example.org", session: "s" };
const FROM = { address: "192.0.2.7" };
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));

let postgres: TestPostgres;
let pool: pg.Pool;
let group: GroupId;
let loose: GroupId;
let workstation: WorkstationId;
let name: string;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await pool.query("INSERT INTO person (id, name, email, role) VALUES ('nora', 'Nora', 'nora@example.org', 'owner')");
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});
beforeEach(async () => {
  name = `machine-${randomUUID().slice(0, 8)}`;
  group = (await seedGroup(pool, `strict ${randomUUID()}`, consoleKey.publicKey)) as GroupId;
  loose = (await seedGroup(pool, `loose ${randomUUID()}`, consoleKey.publicKey)) as GroupId;
  workstation = (await seedWorkstation(pool, { name, group })) as WorkstationId;
});

async function within<T>(act: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect();
  try {
    await tx.query("BEGIN");
    const value = await act(tx);
    await tx.query("COMMIT");
    return value;
  } catch (error) {
    await tx.query("ROLLBACK");
    throw error;
  } finally {
    tx.release();
  }
}
const choice = (needed: number, ...keys: Signer[]): Choice => ({
  needed,
  approvers: keys.map(({ publicKey }, at) => ({ name: `person ${at}`, publicKey: toBase64(publicKey) })),
});
const setSigners = (asked: Choice) =>
  within((tx) =>
    changeSigners(tx, consoleKey, { group, choice: asked, reason: "two persons", by: "nora", now: new Date() }),
  );
async function signing(id: string, key: Signer): Promise<Signing> {
  const { statements } = await getProposal(pool, id);
  return {
    proposal: id,
    key: toBase64(key.publicKey),
    signatures: statements.map(({ text }) => signText(hash, key, "sallyport/statement/1", text)),
  };
}
const handIn = (signing: Signing, now = new Date()) =>
  withRecord(pool, recordConsole, NORA, FROM, (tx) => takeSigning(tx, recordConsole, NORA, FROM, signing, now));
const signs = async (id: string, key: Signer) => handIn(await signing(id, key));
const policy = (lines: number) => Policy.parse({ log: { linesPerSecond: lines } });
const offer = async (lines: number, basedOn = 0) => {
  const asked = { group, source: `log: { linesPerSecond: ${lines} }`, policy: policy(lines), message: "fewer lines" };
  return withRecord(pool, recordConsole, NORA, FROM, async (tx) => {
    const publishing = { ...asked, basedOn, author: "nora", now: new Date() };
    const done = await publish(tx, consoleKey, publishing);
    return { act: publishedAct(publishing, done), value: done };
  });
};
const wanted = async (of = group) =>
  (await pool.query<{ order: number; statement: SignedStatement }>("SELECT * FROM wanted(NULL, $1)", [of])).rows[0];
/** As this workstation takes it, which is in the group with these signers. */
const isBelieved = async (statement: unknown, signers: Signers, of = group) => {
  const trust = { workstation, group: of, signers, orders: {}, now: Date.now() };
  return verifyStatement(hash, verify, trust, statement).ok;
};
const signersNow = async () => (await readSigners(pool, group))!.signers;
const records = async (kind: string) => {
  const { rows } = await pool.query<{ content: Buffer; text: string }>(
    "SELECT content, text FROM record WHERE kind = $1 ORDER BY trail, index",
    [kind],
  );
  return rows.map(({ content, text }) => ({ text, ...JSON.parse(content.toString()).body }));
};
async function sent(): Promise<SignedStatement[]> {
  const rows = await due(pool, {
    ...{ shards: SHARDS, back: [workstation], after: "00000000-0000-0000-0000-000000000000", limit: 500 },
  });
  return rows.find(({ id }) => id === workstation)?.own as SignedStatement[];
}

describe("approvers", () => {
  test("are named by the console alone where nobody else signs yet, and each workstation is told", async () => {
    const before = await signersNow();
    expect((await setSigners(choice(2, anna, ben, cleo))).waiting).toBeNull();
    const told = await sent();
    expect(told).toHaveLength(1);
    expect(await isBelieved(told[0], before)).toBe(true);
    expect(Membership.parse(JSON.parse(told[0]!.carried))).toMatchObject({
      ...{ workstation, group },
      signers: { threshold: 3 },
    });
    expect(await getSigners(pool, group)).toMatchObject({
      ...{ needed: 2, told: 0, workstations: 1, changing: null },
      approvers: [{ name: expect.stringContaining("person") }, {}, {}],
    });
  });

  test("are changed by themselves alone, and what went before is sent along for who was away", async () => {
    await setSigners(choice(2, anna, ben));
    const first = await signersNow();
    const { waiting } = await setSigners(choice(1, cleo));
    expect(waiting).toMatchObject({ needed: 2, approvers: 2 });
    expect(await getSigners(pool, group)).toMatchObject({ needed: 2, changing: waiting!.id });
    expect(await signs(waiting!.id, anna)).toEqual({ state: "waiting", missing: 1, reason: null });
    expect(await signs(waiting!.id, ben)).toEqual({ state: "done", missing: 0, reason: null });
    expect(await getSigners(pool, group)).toMatchObject({ needed: 1, approvers: [{ name: "person 0" }] });
    const told = await sent();
    expect(told).toHaveLength(2);
    expect(await isBelieved(told[1], first)).toBe(true);
    expect((await records("person.signers-changed")).at(-1)).toMatchObject({
      ...{ actor: { email: "nora@example.org" }, address: "192.0.2.7" },
      before: { needed: 2 },
      after: { needed: 1, askedBy: "nora", signedBy: [expect.any(String), expect.any(String)], workstations: 1 },
    });
  });

  test("are changed only for a group whose workstations all hear of it", async () => {
    await setSigners(choice(1, anna, ben));
    const { waiting } = await setSigners(choice(2, anna, ben));
    const other = (await seedWorkstation(pool, { name: "elsewhere", group: loose })) as WorkstationId;
    const moved = within((tx) =>
      move(tx, consoleKey, { id: other, name: "elsewhere", group, by: "nora", now: new Date() }),
    );
    await expect(moved).rejects.toThrow(/approvers are about to change/);
    await seedWorkstation(pool, { name: "came in", group });
    expect(await signs(waiting!.id, ben)).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(/1 workstations came into .* since/),
    });
    expect((await getSigners(pool, group)).needed).toBe(1);
    expect(await sent()).toHaveLength(1);
  });

  test.each<[string, () => Choice, RegExp]>([
    ["the console's own key", () => choice(1, consoleKey), /the console's own key/],
    ["the same again", () => choice(0), /already/],
  ])("are not %s", async (_, made, reason) => {
    await expect(setSigners(made())).rejects.toThrow(reason);
  });
});

describe("a policy of a group with approvers", () => {
  beforeEach(async () => {
    await setSigners(choice(2, anna, ben, cleo));
  });

  test("waits, says how many are missing, and is in force when as many have signed as must", async () => {
    const done = await offer(10);
    expect(done.waiting).toMatchObject({ needed: 2, approvers: 3 });
    const id = done.waiting!.id;
    expect(await wanted()).toBeUndefined();
    const replayed = readPolicy(proposedPolicy(await getProposal(pool, id))!);
    expect(replayed).toMatchObject({ ok: true, policy: { log: { linesPerSecond: 10 } } });
    expect((await listWaiting(pool)).rows.find((row) => row.id === id)).toMatchObject({
      ...{ kind: "policy", message: "fewer lines", by: "nora@example.org", needed: 2, missing: 2, signed: [] },
    });
    expect(await signs(id, cleo)).toEqual({ state: "waiting", missing: 1, reason: null });
    expect(await wanted()).toBeUndefined();
    await expect(signs(id, cleo)).rejects.toThrow(/has signed this already/);
    expect(await signs(id, anna)).toEqual({ state: "done", missing: 0, reason: null });
    const now = await wanted();
    expect(await isBelieved(now!.statement, await signersNow())).toBe(true);
    expect(now!.statement.signatures).toHaveLength(3);
    expect((await records("person.proposed")).at(-1)).toMatchObject({ after: { proposal: id, needed: 2 } });
    expect((await records("person.proposal-signed")).slice(-2)).toMatchObject([
      { after: { proposal: id, missing: 1 } },
      { after: { proposal: id, missing: 0 } },
    ]);
    expect((await records("person.policy-published")).at(-1)).toMatchObject({
      ...{ address: "192.0.2.7", before: { digest: null } },
      after: { order: done.order, proposal: id, askedBy: "nora" },
    });
    const { rows } = await pool.query(
      "SELECT FROM proposal_statement WHERE proposal_id = $1 AND statement IS NOT NULL",
      [id],
    );
    expect(rows).toHaveLength(0);
    await expect(signs(id, ben)).rejects.toThrow(/waits no more: it is done/);
  });

  test("is not signed by a stranger, over another text, by one for another, or with too few signatures", async () => {
    const id = (await offer(10)).waiting!.id;
    const good = await signing(id, anna);
    await expect(signs(id, thief)).rejects.toThrow(/none of .*'s approvers/);
    await expect(signs(id, consoleKey)).rejects.toThrow(/none of .*'s approvers/);
    await expect(handIn({ ...good, key: toBase64(ben.publicKey) })).rejects.toThrow(/not by the key/);
    const other = signText(hash, anna, "sallyport/statement/1", "{}");
    await expect(handIn({ ...good, signatures: [other] })).rejects.toThrow(/not by the key/);
    await expect(handIn({ ...good, signatures: [...good.signatures, other] })).rejects.toThrow(/1 statements, and 2/);
    expect((await listWaiting(pool)).rows.find((row) => row.id === id)).toMatchObject({ missing: 2 });
  });

  test("counts the signature of one who is no approver any more no more", async () => {
    const id = (await offer(10)).waiting!.id;
    await signs(id, anna);
    const { waiting } = await setSigners(choice(2, ben, cleo));
    await signs(waiting!.id, ben);
    await signs(waiting!.id, cleo);
    expect((await listWaiting(pool)).rows.find((row) => row.id === id)).toMatchObject({ missing: 2 });
    expect(await signs(id, ben)).toMatchObject({ state: "waiting", missing: 1 });
    await signs(id, cleo);
    const { statement } = (await wanted())!;
    expect(await isBelieved(statement, await signersNow())).toBe(true);
  });

  test("ends what waited beside it, and never gives an order a second time", async () => {
    const [one, two] = [(await offer(10)).waiting!, (await offer(20)).waiting!];
    await signs(two.id, anna);
    await signs(one.id, anna);
    await signs(two.id, ben);
    const now = await wanted();
    expect(JSON.parse(now!.statement.carried).policy.log.linesPerSecond).toBe(20);
    await expect(signs(one.id, ben)).rejects.toThrow(/it is superseded/);
    expect((await listOver(pool, undefined)).rows.find((row) => row.id === one.id)).toMatchObject({
      state: "superseded",
    });
    const third = await offer(30, now!.order);
    expect(third.order).toBeGreaterThan(now!.order);
  });

  test("is withdrawn, or runs out, with a record of either", async () => {
    const [one, two] = [(await offer(10)).waiting!, (await offer(20)).waiting!];
    await within((tx) => withdraw(tx, { id: one.id, reason: "a mistake", by: "nora", now: new Date() }));
    await expect(signs(one.id, anna)).rejects.toThrow(/it is withdrawn/);
    const late = await signing(two.id, anna);
    await pool.query("UPDATE proposal SET expires = now() - interval '1 second' WHERE id = $1", [two.id]);
    const before = await countWaiting(pool);
    await expect(handIn(late)).rejects.toThrow(/is over/);
    expect(await endExpired(pool, recordConsole)).toBe(1);
    expect(await endExpired(pool, recordConsole)).toBe(0);
    expect(await countWaiting(pool)).toBe(before);
    expect((await records("console.proposal-expired")).at(-1)).toMatchObject({
      detail: { proposal: two.id, signed: 0 },
    });
  });

  test("that the group has gone past by the time is refused in words, and the signature stays a record", async () => {
    const id = (await offer(10)).waiting!.id;
    await signs(id, anna);
    const last = await signing(id, ben);
    // as an abort of a rollout does, which needs nobody
    await pool.query(
      `INSERT INTO revision (digest, canonical, source, author, message) VALUES ($1, '{}', '', 'x', 'x') ON CONFLICT DO NOTHING`,
      ["f".repeat(64)],
    );
    await pool.query(
      `INSERT INTO publication (group_id, "order", digest, statement, published_by) VALUES ($1, 90, $2, '{}', 'x')`,
      [group, "f".repeat(64)],
    );
    expect(await handIn(last)).toMatchObject({ state: "failed", reason: expect.stringMatching(/Revision 90 was/) });
    expect((await records("person.proposal-failed")).at(-1)).toMatchObject({ after: { proposal: id } });
    expect((await wanted())!.order).toBe(90);
  });

  test("rolled out, begins when it is signed, with what an abort goes back to signed as well", async () => {
    const first = await offer(10);
    for (const key of [anna, ben]) await signs(first.waiting!.id, key);
    const id = randomUUID();
    const begun = await begin({ pool, recordConsole, consoleKey }, NORA, FROM, {
      ...{
        id,
        group,
        source: "log: { linesPerSecond: 5 }",
        message: "in waves",
        plan: Plan.parse({ waves: [{ all: true }] }),
      },
    });
    expect(begun.waiting).toMatchObject({ needed: 2 });
    expect((await pool.query("SELECT FROM rollout WHERE id = $1", [id])).rowCount).toBe(0);
    expect((await getProposal(pool, begun.waiting!.id)).statements).toHaveLength(2);
    await signs(begun.waiting!.id, anna);
    expect(await signs(begun.waiting!.id, cleo)).toMatchObject({ state: "done" });
    const { rows } = await pool.query("SELECT fallback, fallback_order, state FROM rollout WHERE id = $1", [id]);
    expect(rows[0]).toMatchObject({ fallback_order: begun.order + 1, state: { name: "pending" } });
    expect(await isBelieved(rows[0].fallback, await signersNow())).toBe(true);
    expect((await records("person.rollout-started")).at(-1)).toMatchObject({ after: { order: begun.order } });
  });
});

describe("what else needs people", () => {
  beforeEach(async () => {
    await setSigners(choice(1, anna, ben));
  });

  test("a move to a looser group: nothing moves before one of them has signed", async () => {
    const asked = { id: workstation, name, group: loose, by: "nora", now: new Date() };
    const { waiting } = await within((tx) => move(tx, consoleKey, asked));
    const of = async () =>
      (await pool.query("SELECT group_id FROM workstation WHERE id = $1", [workstation])).rows[0].group_id;
    expect(await of()).toBe(group);
    expect(proposedPolicy(await getProposal(pool, waiting!.id))).toBeNull();
    expect(await signs(waiting!.id, ben)).toMatchObject({ state: "done" });
    expect(await of()).toBe(loose);
    const newest = (await sent()).at(-1)!;
    expect(await isBelieved(newest, await signersNow())).toBe(true);
    expect(JSON.parse(newest.carried)).toMatchObject({ group: loose, signers: { threshold: 1 } });
  });

  test("a wipe waits, an isolation does not and is sent meanwhile, and the wipe is sent all the same", async () => {
    const about = { workstation, name, minutes: 60, reason: "stolen", by: "nora", now: new Date() };
    const volume = "01234567-89ab-cdef-0123-456789abcdef";
    const wipe = await within((tx) => ask(tx, consoleKey, { ...about, verb: "wipe", arguments: { volume } }));
    expect((await pool.query("SELECT FROM command WHERE workstation_id = $1", [workstation])).rowCount).toBe(0);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const cut = await within((tx) => ask(tx, consoleKey, { ...about, verb: "isolate", arguments: { until } }));
    expect(cut.waiting).toBeUndefined();
    expect(await signs(wipe.waiting!.id, anna)).toMatchObject({ state: "done" });
    const { rows } = await pool.query<{ verb: string; order: string; statement: unknown }>(
      'SELECT verb, "order", statement FROM command WHERE workstation_id = $1 ORDER BY "order"',
      [workstation],
    );
    expect(rows.map(({ verb }) => verb)).toEqual(["wipe", "isolate"]);
    expect(await isBelieved(rows[0]!.statement, await signersNow())).toBe(true);
  });

  test("a database that names fewer than there are is found out before anything is asked for", async () => {
    await pool.query("DELETE FROM group_key WHERE group_id = $1 AND role = 'approver'", [group]);
    await expect(offer(10)).rejects.toThrow(/this needs 2 signatures; the console's key alone is not enough/);
  });
});

test("what was not written by the console's own path cannot be handed over as waiting: it needs its statements", async () => {
  const by = (await readSigners(pool, group))!;
  const id = await within(async (tx) =>
    propose(tx, {
      ...{ by, kind: "policy", text: "x", message: "x", subject: "x", statements: [], act: {}, asker: "x" },
      now: new Date(),
    }),
  );
  await expect(getProposal(pool, id.id)).resolves.toMatchObject({ statements: [] });
  await expect(handIn({ proposal: id.id, key: toBase64(anna.publicKey), signatures: [] })).rejects.toThrow(/none of/);
});
