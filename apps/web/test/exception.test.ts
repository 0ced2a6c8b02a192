/** A held stick's request → an exception that its workstation believes, and how it goes down. */
import { newSigner, verify } from "../../../packages/shared/test/keys.ts";
import "reflect-metadata";
import { createHash } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId, signText } from "@sallyport/shared/trail/signed.ts";
import { EXCEPTION_REASON_CHARS_MAX } from "@sallyport/shared/usb/exception.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { takeSigning } from "../src/approval/sign.ts";
import { getProposal } from "../src/approval/store.ts";
import { due } from "../src/dispatch/due.ts";
import { putStatement } from "../src/dispatch/sign.ts";
import { withRecord } from "../src/person/act.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { exceptedAct, exceptSigned, makeException, refuseRequest, requestOf } from "../src/usb/exception.ts";
import { listRequests } from "../src/usb/requests.ts";
import { listExceptions, RefusalReason, revokedAct, revokeException } from "../src/usb/revoke.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation, sha256 } from "./seed.ts";

const signer = newSigner();
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
const STICK = "1-2/0951:1666/7";
const hex = (digit: string) => digit.repeat(64);

let postgres: TestPostgres;
let pool: pg.Pool;
let group: string;
let workstation: string;
let trail: number;

const seen = (kind: string, body: object): Seen => ({ kind, severity: "warning", text: kind, body, agoMs: 0 });
const scan = (source: string) =>
  seen("usb.scan", { source, verdict: "hold", reason: "no scanner answered", manifest: [], scanner: null });
const IMAGES = [{ bytes: 4_096, sha256: hex("e") }];
const asks = (stick: string, manifest: string, more = {}) =>
  seen("usb.request", {
    ...{ stick, request: hex(manifest), descriptors: hex("a"), device: "d=", manifest: hex(manifest), ...more },
    ...{ files: 2, rule: "unscannable", reason: "no scanner answered" },
  });

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  group = await seedGroup(pool, "lab", signer.publicKey);
  workstation = await seedWorkstation(pool, { name: "lab-07", group });
  const records = [
    scan(STICK), // 0
    asks("1-3/0951:1666/8", "d"), // another stick's
    asks(STICK, "b"), // 2
    scan("holiday.img"), // 3, of a stick that asks for nothing
    scan("1-4/0951:1666/9"), // 4
    asks("1-4/0951:1666/9", "c", { images: IMAGES }), // 5
  ];
  trail = await seedTrail(
    pool,
    workstation,
    records.map((each, at) => ({ ...each, agoMs: (records.length - at) * 1_000 })),
  );
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function except(index: number, hours = 8, now = new Date()) {
  const tx = await pool.connect();
  try {
    return await makeException(tx, signer, { trail, index, hours, reason: "looked at by hand", by: "nora", now });
  } finally {
    tx.release();
  }
}
const revokes = (exception: string) =>
  withRecord(pool, consoleRecorder(signer), { id: "rita", email: "rita@example.org" }, {}, async (tx) => {
    const asked = { workstation: workstation as WorkstationId, exception: exception as Sha256 };
    const value = await revokeException(tx, signer, { ...asked, reason: "the wrong stick", now: new Date() });
    return { act: revokedAct(value), value };
  });
async function sent(): Promise<SignedStatement[]> {
  const rows = await due(pool, {
    ...{ shards: SHARDS, back: [workstation as WorkstationId] },
    ...{ after: "00000000-0000-0000-0000-000000000000", limit: 10 },
  });
  return rows[0]?.own as SignedStatement[];
}

test("the stick of a scan asks with its own request, and an exception signs exactly that", async () => {
  expect(await requestOf(pool, trail, 0)).toMatchObject({ index: 2, request: hex("b"), files: 2, given: null });
  expect(await requestOf(pool, trail, 3)).toBeNull();
  expect(await except(0)).toMatchObject({ name: "lab-07", stick: STICK, manifest: hex("b") });
  expect(await requestOf(pool, trail, 0)).toMatchObject({ given: { reason: "looked at by hand" } });
  const [statement] = await sent();
  const key = { id: keyId(sha256, signer.publicKey), publicKey: toBase64(signer.publicKey), role: "console" as const };
  const trust = {
    ...{ workstation: workstation as WorkstationId, group: group as GroupId },
    ...{ signers: { threshold: 1, keys: [key] }, orders: {}, now: Date.now() },
  };
  const believed = verifyStatement(
    sha256,
    (_, bytes, signature) => verify(signer.publicKey, bytes, signature),
    trust,
    statement,
  );
  expect(believed).toMatchObject({
    ok: true,
    value: { carried: { workstation, descriptors: hex("a"), device: "d=", manifest: hex("b"), request: hex("b") } },
  });
});

test("all that have not ended go down together, in order; one that has does not", async () => {
  await except(0, 1, new Date(Date.now() - 7_200_000));
  await except(0, 24);
  const orders = (await sent()).map(({ text }) => (JSON.parse(text) as { order: number }).order);
  expect(orders).toHaveLength(2);
  // no order is given twice, nor one below the clock's seconds: a console that was restored goes on above what it lost
  expect(orders[1]).toBeGreaterThan(orders[0]! + 1);
  expect(orders[0]).toBeGreaterThan(Date.now() / 1000 - 600);
});

test("one that stands goes down however many were made after it that have ended or were revoked", async () => {
  const before = (await sent()).map(({ text }) => text);
  for (let hours = 70; hours > 0; hours -= 2) await except(0, 1, new Date(Date.now() - hours * 3_600_000));
  expect((await sent()).map(({ text }) => text)).toEqual(before);
});

test("where the guest would get the image itself, what is signed binds it, and that is said to whoever signs", async () => {
  expect(await requestOf(pool, trail, 0)).toMatchObject({ images: null });
  expect(await requestOf(pool, trail, 4)).toMatchObject({ images: IMAGES });
  const given = await except(4);
  const { carried } = (await sent()).at(-1)!;
  expect(JSON.parse(carried)).toMatchObject({ manifest: hex("c"), images: IMAGES });
  const words = `the whole image, 4096 bytes, sha256 ${hex("e")}, with all that lies beside the listed files`;
  expect(exceptedAct(given).text).toContain(`handed over is ${words}`);
  expect(exceptedAct(given).after).toMatchObject({ handsOver: words });
});

test("an exception that is revoked goes down no more, and its revocation does, by the console's key; once", async () => {
  const { rows: before } = await listExceptions(pool, new Date());
  await except(4, 2);
  const [made] = (await listExceptions(pool, new Date())).rows;
  expect(before.map(({ exception }) => exception)).not.toContain(made!.exception);
  const revoke = () => revokes(made!.exception);
  expect(await revoke()).toMatchObject({ name: "lab-07", exception: made!.exception });
  const down = await sent();
  const types = down.map(({ text }) => (JSON.parse(text) as { type: string }).type);
  expect(types.filter((type) => type === "revocation")).toHaveLength(1);
  const digests = down.map(({ text }) => createHash("sha256").update(text).digest("hex"));
  expect(digests).not.toContain(made!.exception);
  const revocation = down[types.indexOf("revocation")]!;
  expect(JSON.parse(revocation.carried)).toMatchObject({
    ...{ workstation, revoked: [{ exception: made!.exception, until: made!.until, reason: "the wrong stick" }] },
  });
  // also where two must sign
  const key = { id: keyId(sha256, signer.publicKey), publicKey: toBase64(signer.publicKey), role: "console" as const };
  const other = { ...key, publicKey: toBase64(new Uint8Array(32).fill(7)), role: "approver" as const };
  const believed = verifyStatement(
    sha256,
    (_, bytes, signature) => verify(signer.publicKey, bytes, signature),
    {
      ...{ workstation: workstation as WorkstationId, group: group as GroupId, orders: {}, now: Date.now() },
      signers: { threshold: 2, keys: [key, other] },
    },
    revocation,
  );
  expect(believed).toMatchObject({ ok: true });
  expect(await requestOf(pool, trail, 4)).toMatchObject({ given: { revoked: { reason: "the wrong stick" } } });
  await expect(revoke()).rejects.toThrow(/It was revoked already, at .*: the wrong stick/);
  expect((await listExceptions(pool, new Date())).rows).toEqual(before);
  const { rows } = await pool.query<{ text: string }>(
    "SELECT text FROM record WHERE kind = 'person.exception-revoked'",
  );
  expect(rows.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^rita@example.org revoked an exception for a stick on lab-07 before its end/),
  ]);
});

/** As a console of before made it: for `days`, and of a model where it names no device. */
function older(order: number, days: number, device?: string): SignedStatement {
  const head = { type: "exception" as const, audience: { workstation: workstation as WorkstationId }, order };
  const carried = {
    workstation,
    descriptors: hex("a"),
    manifest: hex("b"),
    reason: "of before",
    ...(device && { device }),
  };
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const notAfter = at(days * 86_400_000);
  return signStatement(sha256, [signer], { ...head, issued: at(0), notAfter }, carried as never);
}

test("one of a model and of a month, from before, stands nowhere, and is revoked for a week", async () => {
  const { rows: before } = await listExceptions(pool, new Date());
  for (const order of [3, 4]) await putStatement(pool, workstation, older(order, 31));
  expect((await listExceptions(pool, new Date())).rows).toEqual(before);
  const { rows } = await pool.query<{ text: string }>(
    `SELECT statement ->> 'text' AS text FROM workstation_statement WHERE type = 'exception' AND "order" = 3`,
  );
  const exception = createHash("sha256").update(rows[0]!.text).digest("hex");
  const { until } = await revokes(exception);
  expect(until).toBe((JSON.parse(rows[0]!.text) as { notAfter: string }).notAfter);
  const revocation = (await sent()).find(({ text }) => (JSON.parse(text) as { type: string }).type === "revocation")!;
  const { issued, notAfter } = JSON.parse(revocation.text) as { issued: string; notAfter: string };
  const { revoked } = JSON.parse(revocation.carried) as { revoked: { exception: string; until: string }[] };
  const week = new Date(Date.parse(issued) + 7 * 86_400_000).toISOString();
  expect([notAfter, revoked.find((each) => each.exception === exception)?.until]).toEqual([week, week]);
  await expect(revokes(exception)).rejects.toThrow(/It was revoked already/);
});

test("one that was prepared before an upgrade, and that its workstation would refuse, is not carried out", async () => {
  const all = await pool.query("SELECT FROM workstation_statement");
  for (const statement of [older(2 ** 31 - 1, 1), older(2 ** 31 - 1, 8, "d=")]) {
    const { notAfter } = JSON.parse(statement.text) as { notAfter: string };
    const act = { workstation, name: "lab-07", stick: STICK, manifest: hex("b"), notAfter, reason: "of before" };
    const tx = await pool.connect();
    const carried = exceptSigned(tx, { act, statements: [statement], now: new Date() });
    await expect(carried.finally(() => tx.release())).rejects.toThrow(
      /its workstation would refuse it: plug the stick/,
    );
  }
  expect((await pool.query("SELECT FROM workstation_statement")).rowCount).toBe(all.rowCount);
});

test("a request that is refused says by whom and why, until an exception is made after all", async () => {
  const by = { id: "rita", email: "rita@example.org" };
  const reason = "not from a stranger ".repeat(EXCEPTION_REASON_CHARS_MAX / 20).trim(); // as long as the page lets it be
  for (const { exception } of (await listExceptions(pool, new Date())).rows) await revokes(exception);
  const row = async () => (await listRequests(pool, new Date())).rows.find(({ index }) => index === 5)?.what;
  expect(await row()).toMatchObject({ state: "revoked", reason: "the wrong stick" });
  await withRecord(pool, consoleRecorder(signer), by, {}, async (tx) => ({
    act: await refuseRequest(tx, { trail, index: 4, reason: RefusalReason.parse(reason) }),
    value: null,
  }));
  const refused = { by: "rita@example.org", reason };
  expect(await requestOf(pool, trail, 4)).toMatchObject({ refused });
  expect(await row()).toMatchObject({ state: "refused", ...refused });
  await except(4, 1);
  expect(await requestOf(pool, trail, 4)).toMatchObject({ refused: null });
  expect(await row()).toMatchObject({ state: "allowed" });
});

test("more than a message to it can hold are not made: one is revoked first", async () => {
  const standing = (await listExceptions(pool, new Date())).rows.length;
  for (let more = standing; more < 32; more++) await except(0, 1);
  await expect(except(0, 1)).rejects.toThrow(/32 exceptions stand on lab-07, and it takes no more at once. Revoke one/);
  await pool.query(
    `DELETE FROM workstation_statement WHERE type = 'exception' AND "order" IN (
       SELECT "order" FROM workstation_statement WHERE type = 'exception' ORDER BY "order" DESC LIMIT 28)`,
  );
});

test("nothing is signed for a scan that asks for nothing, nor where the console's key is not enough", async () => {
  await expect(except(3)).rejects.toThrow(/asks for no exception/);
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [group]);
  await expect(except(0)).rejects.toThrow(/In lab this needs 2 signatures/);
});

test("with approvers it waits for them, and one that a later exception overtook is asked for again", async () => {
  const anna = newSigner();
  const key = toBase64(anna.publicKey);
  await pool.query(
    "INSERT INTO group_key (group_id, key_id, public_key, role, name) VALUES ($1, $2, $3, 'approver', 'Anna')",
    [group, keyId(sha256, anna.publicKey), key],
  );
  const before = (await sent()).length;
  expect(await requestOf(pool, trail, 0)).toMatchObject({ signing: null });
  const [one, two] = [await except(0), await except(0)];
  const signing = { id: two.waiting!.id, until: two.notAfter };
  expect(await requestOf(pool, trail, 0)).toMatchObject({ signing });
  expect(await requestOf(pool, trail, 4)).toMatchObject({ signing: null }); // another stick's
  expect(one.waiting).toMatchObject({ needed: 1, approvers: 1, expires: one.notAfter });
  expect(await sent()).toHaveLength(before);
  const by = { id: "nora", email: "nora@example.org" };
  const signs = async (id: string) => {
    const { statements } = await getProposal(pool, id);
    const signatures = statements.map(({ text }) => signText(sha256, anna, "sallyport/statement/1", text));
    const record = consoleRecorder(signer);
    return withRecord(pool, record, by, {}, (tx) =>
      takeSigning(tx, record, by, {}, { proposal: id, key, signatures }, new Date()),
    );
  };
  expect(await signs(two.waiting!.id)).toMatchObject({ state: "done" });
  const now = await sent();
  expect(now).toHaveLength(before + 1);
  expect(now.at(-1)!.signatures).toHaveLength(2);
  expect(await signs(one.waiting!.id)).toMatchObject({
    state: "failed",
    reason: expect.stringMatching(/ask for this one/),
  });
  expect(await requestOf(pool, trail, 0)).toMatchObject({ signing: null });
  expect(await sent()).toHaveLength(before + 1);
});
