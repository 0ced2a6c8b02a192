/** A stolen console: its key, its database and its broker in a thief's hands, who runs its very code against a real agent.
 *  Whatever would loosen a workstation is refused by it, and told on its trail with the reason; what is left to the thief
 *  is to take away for a while. */
import { createHash, randomBytes, randomUUID, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, type Signers, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer, signText } from "@sallyport/shared/trail/signed.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { enrolMachine, type Machine, runCli, stop, stopAll, until } from "../../apps/agent/test/core/agent.ts";
import type { Console } from "../../apps/agent/test/core/console.ts";
import { takeSigning } from "../../apps/web/src/approval/sign.ts";
import { changeSigners } from "../../apps/web/src/approval/signers.ts";
import { getProposal } from "../../apps/web/src/approval/store.ts";
import { ask } from "../../apps/web/src/command/ask.ts";
import { addDeny } from "../../apps/web/src/deny/change.ts";
import { draftMembership, nextOrder, putStatement } from "../../apps/web/src/dispatch/sign.ts";
import { publish } from "../../apps/web/src/policy/publish.ts";
import { makeGroup } from "../../apps/web/src/policy/store.ts";
import { hash } from "../../apps/web/src/trail/crypto.ts";
import { readConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { move } from "../../apps/web/src/workstation/change.ts";
import { newSigner } from "../../packages/shared/test/keys.ts";
import { type Stack, startStack } from "../../packages/up/src/start.ts";

const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
const PATIENCE_MS = 180_000;
const [anna, ben, thief] = [newSigner(), newSigner(), newSigner()];
const NORA = { id: "nora", email: "nora@example.org" };
const VOLUME = "01234567-89ab-cdef-0123-456789abcdef";

let folder: string;
let stack: Stack;
let pool: pg.Pool;
let key: ReturnType<typeof readConsoleKey>;
let machine: Machine;
let child: ReturnType<Machine["start"]>;
let strict: GroupId;
let loose: GroupId;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-stolen-"));
  stack = await startStack({ stateFolder: join(folder, "stack"), ports: PORTS, console: false, agent: false });
  pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 4 });
  pool.on("error", () => undefined); // the server is stopped under it at the end
  key = readConsoleKey(stack.keys.console);
  strict = (await within((tx) => makeGroup(tx, "two persons", key))) as GroupId;
  loose = (await within((tx) => makeGroup(tx, "the console alone", key))) as GroupId;
  const token = await newToken(strict);
  machine = await enrolMachine({ token: () => token } as unknown as Console);
  child = machine.start();
  const approvers = [anna, ben].map(({ publicKey }, at) => ({ name: `person ${at}`, publicKey: toBase64(publicKey) }));
  await within((tx) =>
    changeSigners(tx, key, {
      ...{ group: strict, choice: { approvers, needed: 2 }, reason: "two persons", by: "nora", now: new Date() },
    }),
  );
  // two revisions that both persons signed: a loose one, and the one in force
  for (const lines of [900, 100]) {
    const { waiting } = await offer(strict, { log: { linesPerSecond: lines } });
    for (const person of [anna, ben]) await signs(waiting!.id, person);
    const { order } = await newest(strict);
    await until("it is in force", async () => (await reported())?.policy?.order === order, machine, PATIENCE_MS);
  }
}, 400_000);
afterAll(async () => {
  stopAll();
  await pool?.end();
  await stack?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
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

async function newToken(group: GroupId): Promise<string> {
  const secret = randomBytes(32).toString("base64url");
  const ca = createHash("sha256")
    .update(new X509Certificate(readFileSync(stack.keys.ca)).raw)
    .digest("hex") as Sha256;
  await pool.query(
    "INSERT INTO enrol_token (hash, group_id, labels, uses, expires) VALUES ($1, $2, '{}', 1, now() + interval '1 hour')",
    [createHash("sha256").update(secret).digest(), group],
  );
  return printToken({ url: `https://localhost:${stack.ports.listen}`, ca, secret });
}

type Newest = { order: number; digest: string; statement: SignedStatement };
async function newest(group: GroupId): Promise<Newest> {
  const { rows } = await pool.query<Newest>("SELECT * FROM wanted(NULL, $1)", [group]);
  return rows[0] ?? { order: 0, digest: "", statement: undefined as never };
}
async function offer(group: GroupId, draft: object) {
  const policy = Policy.parse({ agent: { reportSeconds: 3_600 }, ...draft });
  const { order: basedOn } = await newest(group);
  const asked = { group, source: JSON.stringify(draft), policy, message: "for a test", basedOn, author: "nora" };
  return within((tx) => publish(tx, key, { ...asked, now: new Date() }));
}
async function signs(id: string, person: Signer): Promise<void> {
  const { statements } = await getProposal(pool, id);
  const signatures = statements.map(({ text }) => signText(hash, person, "sallyport/statement/1", text));
  const signing = { proposal: id, key: toBase64(person.publicKey), signatures };
  await within((tx) => takeSigning(tx, consoleRecorder(key), NORA, {}, signing, new Date()));
}

const of = () => machine.workstation as WorkstationId;
type Document = { policy?: { order: number; digest: string }; signers?: { threshold: number } } | undefined;
const reported = async (): Promise<Document> =>
  (await pool.query("SELECT document FROM reported WHERE workstation_id = $1", [of()])).rows[0]?.document;
type Told = { text: string; severity: number; body: { code: string; reason: string; digest?: string; type: string } };
const told = async (kind: string): Promise<Told[]> => {
  const { rows } = await pool.query<{ content: Buffer; severity: number }>(
    `SELECT content, severity FROM record r JOIN trail t ON t.num = r.trail
      WHERE t.workstation_id = $1 AND r.kind = $2 ORDER BY r.trail, r.index`,
    [of(), kind],
  );
  return rows.map(({ content, severity }) => ({ ...JSON.parse(content.toString()), severity }));
};
const digestOf = ({ text }: SignedStatement): string => (JSON.parse(text) as { digest: string }).digest;

/** The refusal of this very statement is on the workstation's trail, as the console itself has committed it. */
async function refusal(statement: SignedStatement): Promise<Told> {
  const found = async () => (await told("policy.refused")).find(({ body }) => body.digest === digestOf(statement));
  await until("its refusal is on the trail", async () => (await found()) !== undefined, machine, PATIENCE_MS);
  return (await found())!;
}
/** What the thief puts before a workstation in the place of its group's policy. */
async function put(statement: SignedStatement, digest: string): Promise<void> {
  await pool.query(
    `INSERT INTO publication (group_id, "order", digest, statement, published_by, message)
     VALUES ($1, (SELECT max("order") + 1 FROM publication WHERE group_id = $1), $2, $3, 'thief', 'x')`,
    [strict, digest, JSON.stringify(statement)],
  );
  await pool.query("SELECT pg_notify('publication', $1)", [strict]);
}
async function putOwn(statement: SignedStatement): Promise<void> {
  await putStatement(pool, of(), statement);
  await pool.query("SELECT pg_notify('publication', $1)", [strict]);
}
const make = (type: "exception" | "keys", order: number, carried: object, more: object = {}) =>
  signStatement(
    hash,
    [key],
    { type, audience: { workstation: of() }, order, issued: new Date().toISOString(), ...more },
    carried,
  );
type Head = { order: number; issued: number; notAfter: number };
/** An order of the thief's own making, beside what the console's code would give. */
async function order(verb: "diagnostics" | "isolate", args: object, head: Head): Promise<SignedStatement> {
  const id = randomUUID();
  const notAfter = new Date(head.notAfter).toISOString();
  const statement = signStatement(
    hash,
    [key],
    {
      type: "command",
      audience: { workstation: of() },
      order: head.order,
      issued: new Date(head.issued).toISOString(),
      notAfter,
    },
    { id, verb, arguments: args, notAfter },
  );
  await pool.query(
    `INSERT INTO command (id, workstation_id, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                          not_after, standing, state)
     VALUES ($1, $2, (SELECT max("order") + 1 FROM command), $3, $4, $5, $6, 'thief', now(), 'x', $7, 'sent', '{"state":"sent"}')`,
    [id, of(), verb, args, statement, digestOf(statement), notAfter],
  );
  await pool.query("SELECT pg_notify('command', $1)", [of()]);
  return statement;
}
const SIGNATURES = { code: "signatures", reason: expect.stringMatching(/^1 of the 3 signatures/) };

it("loosens nothing, moves nothing, lets nothing pass, wipes nothing; each try is refused with its reason", {
  timeout: 900_000,
}, async () => {
  const good = await newest(strict);
  expect((await reported())?.policy).toMatchObject({ digest: good.digest });
  expect((await reported())?.signers).toMatchObject({ threshold: 3 });
  const first = (
    await pool.query<Newest>('SELECT * FROM publication WHERE group_id = $1 ORDER BY "order" LIMIT 1', [strict])
  ).rows[0]!;
  // the rows say what the thief likes, and the console's code believes them
  await pool.query('UPDATE "group" SET threshold = 1 WHERE id = $1', [strict]);
  await pool.query("DELETE FROM group_key WHERE group_id = $1 AND role = 'approver'", [strict]);

  // a looser policy, by the console's own path
  expect((await offer(strict, { usb: { unscannable: "allow" } })).waiting).toBeUndefined();
  const looser = (await newest(strict)).statement;
  expect((await refusal(looser)).body).toMatchObject({ type: "policy", ...SIGNATURES });

  // the same with the signatures that both persons gave to another text
  const text = JSON.stringify({ ...JSON.parse(looser.text), order: 70 });
  await put({ ...looser, text, signatures: [...looser.signatures, ...good.statement.signatures] }, good.digest);
  await until(
    "it is refused",
    async () => (await told("policy.refused")).filter(({ body }) => body.digest === digestOf(looser)).length === 2,
    machine,
    PATIENCE_MS,
  );

  // an old one, which both persons did sign
  await put(first.statement, first.digest);
  expect((await refusal(first.statement)).body).toMatchObject({ code: "old-order" });

  // another group's, validly signed there
  await offer(loose, { usb: { infected: "hold" } });
  const foreign = await newest(loose);
  await put(foreign.statement, foreign.digest);
  expect((await refusal(foreign.statement)).body).toMatchObject({ code: "audience" });

  // a move to the group that the console signs for alone
  const asked = { id: of(), name: "test", group: loose, by: "thief", now: new Date() };
  await within((tx) => move(tx, key, asked));
  const { rows } = await pool.query<{ statement: SignedStatement }>(
    `SELECT statement FROM workstation_statement WHERE workstation_id = $1 AND type = 'membership' ORDER BY "order" DESC LIMIT 1`,
    [of()],
  );
  expect((await refusal(rows[0]!.statement)).body).toMatchObject({ type: "membership", ...SIGNATURES });
  await pool.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [of(), strict]);

  // the same group, and nobody but the console signs there
  const alone = await within(async (tx) => (await draftMembership(tx, key, of(), strict, new Date()))!);
  expect((JSON.parse(alone.carried) as { signers: Signers }).signers.threshold).toBe(1);
  await putOwn(alone);
  expect((await refusal(alone)).body).toMatchObject({ type: "membership", ...SIGNATURES });

  // another key of the console
  const keys = make("keys", 1, { consoleKeys: [toBase64(thief.publicKey)], cas: [] });
  await putOwn(keys);
  expect((await refusal(keys)).body).toMatchObject({ type: "keys", ...SIGNATURES });

  // an exception for a stick
  const notAfter = new Date(Date.now() + 3_600_000).toISOString();
  const stick = { workstation: of(), descriptors: "a".repeat(64), device: "d=", manifest: "b".repeat(64) };
  const carried = { ...stick, reason: "x" };
  const exception = make("exception", await nextOrder(pool, of(), "exception"), carried, { notAfter });
  await putOwn(exception);
  expect((await refusal(exception)).body).toMatchObject({ type: "exception", ...SIGNATURES });

  // a wipe
  const about = { workstation: of(), name: "test", minutes: 60, reason: "x", by: "thief", now: new Date() };
  const wipe = await within((tx) => ask(tx, key, { ...about, verb: "wipe", arguments: { volume: VOLUME } }));
  const sent = await pool.query<{ statement: SignedStatement }>("SELECT statement FROM command WHERE id = $1", [
    wipe.id,
  ]);
  expect((await refusal(sent.rows[0]!.statement)).body).toMatchObject({ type: "command", ...SIGNATURES });

  // what the console may do alone, it still may
  const deny = { audience: { workstation: of() }, hours: 1, reason: "x", by: "thief", now: new Date() };
  await within((tx) => addDeny(tx, key, { ...deny, what: { kind: "file", sha256: "c".repeat(64) as Sha256 } }));
  await until("it denies", async () => (await told("policy.overlay")).length > 0, machine, PATIENCE_MS);
  const until_ = new Date(Date.now() + 3_600_000).toISOString();
  const cut = await within((tx) =>
    ask(tx, key, { ...about, now: new Date(), verb: "isolate", arguments: { until: until_ } }),
  );
  const received = async () => (await told("command.received")).filter(({ body }) => "command" in body);
  await until("it is cut off", async () => (await received()).length > 0, machine, PATIENCE_MS);
  expect((await received()).at(-1)!.body).toMatchObject({ command: cut.id });

  // the highest order there is, and words of a time that has not come: to be believed above all that people sign
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  const highest = await order("diagnostics", {}, { order: 2 ** 53 - 1, issued: now, notAfter: now + 3_600_000 });
  expect((await refusal(highest)).body).toMatchObject({ type: "command", code: "ahead" });
  const ages = Date.parse("2999-01-01T00:00:00.000Z");
  const future = { order: seconds + 60, issued: ages, notAfter: ages + 3_600_000 };
  const cutFor = await order("isolate", { until: new Date(ages + 3_600_000).toISOString() }, future);
  expect((await refusal(cutFor)).body).toMatchObject({ type: "command", code: "ahead" });
  const most = await order(
    "diagnostics",
    {},
    { order: seconds + 7 * 86_400, issued: now + 80_000_000, notAfter: now + 90_000_000 },
  );
  const taken = async () => (await told("command.received")).some(({ body }) => body.digest === digestOf(most));
  await until("the most that is believed is taken", taken, machine, PATIENCE_MS);
  // what both persons sign with the console is taken all the same
  await within(async (tx) => {
    await tx.query('UPDATE "group" SET threshold = 3 WHERE id = $1', [strict]);
    for (const { publicKey } of [anna, ben])
      await tx.query(
        "INSERT INTO group_key (group_id, key_id, public_key, role, name) VALUES ($1, $2, $3, 'approver', 'x')",
        [strict, keyId(hash, publicKey), toBase64(publicKey)],
      );
  });
  const asks = { ...about, now: new Date(), minutes: 10, verb: "release" as const, arguments: {} };
  const { waiting } = await within((tx) => ask(tx, key, asks));
  for (const person of [anna, ben]) await signs(waiting!.id, person);
  const released = await pool.query<{ statement: SignedStatement }>(
    "SELECT statement FROM command WHERE verb = 'release'",
  );
  const release = released.rows[0]!.statement;
  const heard = async () => (await told("command.received")).some(({ body }) => body.digest === digestOf(release));
  await until("people are heard", heard, machine, PATIENCE_MS);

  // an enrolment anew, by somebody at the machine who was given a token, into fewer hands
  const again = await runCli("enrol", await newToken(loose), "--state", machine.state, "--name", "test", "--again");
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(
    /The enrolment is refused: .*where 2 of 2 approvers must sign.*nobody beside the console/,
  );
  await stop(child);
  child = machine.start();
  const anew = async () => (await told("policy.refused")).find(({ text }) => text.startsWith("An enrolment anew"));
  await until("that is on the trail", async () => (await anew()) !== undefined, machine, PATIENCE_MS);
  expect((await anew())!.body).toMatchObject({ type: "membership", code: "signatures" });

  // after all of it, and a restart
  const { stdout } = await runCli("status", "--state", machine.state, "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    workstation: of(),
    policy: { digest: good.digest },
    signers: { threshold: 3 },
  });
  const words = await runCli("status", "--state", machine.state);
  expect(words.stdout).toMatch(/^Signed by {4}the console \([0-9a-f]{8}\) and 2 of [0-9a-f]{8}, [0-9a-f]{8}$/m);
  expect((await reported())?.signers).toMatchObject({ threshold: 3 });
});
