/** `sallyport key`, `approval` and `sign` as processes of their own, against the console's API over a real Postgres. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { respondApproval } from "../src/approval/respond.ts";
import { changeSigners } from "../src/approval/signers.ts";
import { withRecord } from "../src/person/act.ts";
import { publish, publishedAct } from "../src/policy/publish.ts";
import { respondRollout } from "../src/rollout/respond.ts";
import { type CommandLine, RUNS_MS_MAX, startCommandLine } from "./command-line.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-approval-"));
const NORA = { id: "nora", email: "nora@example.org", session: "s" };

let cli: CommandLine;
let group: GroupId;
let tokens: { sign: string; other: string };

beforeAll(async () => {
  cli = await startCommandLine((parts, request) => {
    const [, , api, ...path] = new URL(request.url).pathname.split("/");
    return (api === "rollout" ? respondRollout : respondApproval)(parts, request, path.filter(Boolean));
  });
  const { pool, consoleKey } = cli;
  group = (await seedGroup(pool, "desks", consoleKey.publicKey)) as GroupId;
  await seedWorkstation(pool, { name: "desk-1", group });
  tokens = {
    sign: await cli.token("nora", "owner", ["approval", "rollout:read", "rollout:write"]),
    other: await cli.token("nora", "owner", ["export"]),
  };
});
afterAll(async () => {
  await cli?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const PASSPHRASE = "correct horse battery staple";
const sallyport = (args: string[], environment: Record<string, string | undefined> = {}) =>
  cli.run({ token: tokens.sign, folder, environment: { SALLYPORT_PASSPHRASE: PASSPHRASE, ...environment } }, ...args);
/** Asks for it as the console does, whoever must sign. */
async function offer(source: string, message: string): Promise<string> {
  const { rows } = await cli.pool.query(
    'SELECT coalesce(max("order"), 0) AS newest FROM publication WHERE group_id = $1',
    [group],
  );
  const read = readPolicy(source);
  if (!read.ok) throw new Error(JSON.stringify(read.faults));
  const asked = {
    group,
    source,
    policy: read.policy,
    message,
    basedOn: rows[0].newest,
    author: "nora",
    now: new Date(),
  };
  return withRecord(cli.pool, cli.recordConsole, NORA, {}, async (tx) => {
    const done = await publish(tx, cli.consoleKey, asked);
    return { act: publishedAct(asked, done), value: done.waiting?.id ?? "" };
  });
}
const wanted = async () => (await cli.pool.query('SELECT "order", statement FROM wanted(NULL, $1)', [group])).rows[0];

test("two persons make keys, an owner names them, and what they sign is in force", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const made = await sallyport(["key", "new", "anna.key", "--name", "Anna", "--json"]);
  expect(made).toMatchObject({ code: 0, err: "" });
  expect(statSync(join(folder, "anna.key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, "anna.key"), "utf8")).not.toMatch(/pkcs8/);
  const anna = JSON.parse(made.out) as { id: string; publicKey: string };
  const again = await sallyport(["key", "new", "anna.key", "--name", "Anna"]);
  expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/anna\.key cannot be written: .*exists/) });
  const bens = await sallyport(["key", "new", "ben.key", "--name", "Ben", "--no-passphrase", "--json"]);
  const ben = JSON.parse(bens.out) as { id: string; publicKey: string };
  expect((await sallyport(["key", "show", "ben.key"])).out).toBe(`${ben.publicKey}\nKey ${ben.id} of Ben\n`);
  const short = await sallyport(["key", "new", "x.key", "--name", "X"], { SALLYPORT_PASSPHRASE: "short" });
  expect(short).toMatchObject({ code: 1, err: expect.stringMatching(/at least 12 characters/) });

  await offer("usb: { deviceRules: ['allow id 1234:abcd'] }\n", "one stick");
  const approvers = [
    { name: "Anna", publicKey: anna.publicKey },
    { name: "Ben", publicKey: ben.publicKey },
  ];
  await withRecord(cli.pool, cli.recordConsole, NORA, {}, async (tx) => {
    const asked = { group, choice: { needed: 2, approvers }, reason: "two persons", by: "nora", now: new Date() };
    const { act } = await changeSigners(tx, cli.consoleKey, asked);
    return { act, value: null };
  });
  const id = await offer("usb: { deviceRules: [], unscannable: allow }\n", "whatever\u001b[2J");

  expect(await sallyport(["approval", "list"])).toMatchObject({
    code: 0,
    out: expect.stringMatching(new RegExp(`^${id}  policy     2 of 2 missing, until .*publish r2 of desks`)),
  });
  const shown = await sallyport(["approval", "show", id, "--key", "anna.key"]);
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(
    /LOOSER\n {2}- usb, removed: device rule removed: allow id 1234:abcd\n {2}- usb, looser: unscan/,
  );
  expect(shown.out).toMatch(/in force by the console's word alone/);
  expect(shown.out).toMatch(/asked by nora@example.org .*whatever\\x1b\[2J/);
  const policy = await sallyport(["approval", "show", id, "--policy"]);
  expect(JSON.parse(policy.out)).toMatchObject({ usb: { unscannable: "allow" } });

  // nothing is signed that was not confirmed
  const unsure = await sallyport(["sign", id, "--key", "anna.key", "--json"]);
  const { confirm, isSigned } = JSON.parse(unsure.out) as { confirm: string; isSigned: boolean };
  expect([unsure.code, isSigned]).toEqual([3, false]);
  const wrong = await sallyport(["sign", id, "--key", "anna.key", "--confirm", confirm.slice(0, 8)]);
  expect(wrong).toMatchObject({
    code: 3,
    out: expect.stringMatching(/Not signed: [0-9a-f]{8} does not stand for this/),
  });
  const locked = await sallyport(["sign", id, "--key", "anna.key", "--confirm", confirm], {
    SALLYPORT_PASSPHRASE: "something else altogether",
  });
  expect(locked).toMatchObject({ code: 3, err: "anna.key does not open with this pass phrase.\n" });

  const first = await sallyport(["sign", id, "--key", "anna.key", "--confirm", confirm]);
  expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/Signed\. 1 more must sign\.\n$/) });
  expect((await sallyport(["sign", "--key", "anna.key"])).out).toMatch(/Nothing waits for the key/);
  expect((await wanted()).order).toBe(1);
  const second = await sallyport(["sign", id, "--key", "ben.key", "--confirm", confirm.slice(0, 24), "--json"]);
  expect(JSON.parse(second.out)).toMatchObject({ isSigned: true, state: "done", missing: 0, id });
  expect((await wanted()).order).toBe(2);
  expect(await sallyport(["sign", id, "--key", "ben.key", "--confirm", confirm])).toMatchObject({
    code: 3,
    err: expect.stringMatching(/waits no more: it is done/),
  });
});

test("one who reaches no console signs a file, and somebody else hands it in", { timeout: RUNS_MS_MAX }, async () => {
  const id = await offer("usb: { deviceRules: [], unscannable: hold }\n", "tighter again");
  expect((await sallyport(["approval", "fetch", id, "--out", "wish.json"])).code).toBe(0);
  const away = { SALLYPORT_TOKEN: undefined, SALLYPORT_URL: "http://127.0.0.1:1" };
  const asked = await sallyport(["sign", "wish.json", "--key", "anna.key"], away);
  expect(asked).toMatchObject({ code: 3, out: expect.stringMatching(/signed by as many as must: 1 tightened/) });
  const code = /To confirm: ([0-9a-f]{24})/.exec(asked.out)![1]!;
  const signed = await sallyport(["sign", "wish.json", "--key", "anna.key", "--confirm", code], away);
  expect(signed).toMatchObject({ code: 0, out: expect.stringMatching(/approval send wish\.json\.signed/) });
  expect(await sallyport(["approval", "send", "wish.json.signed"])).toMatchObject({
    code: 0,
    out: "Signed. 1 more must sign.\n",
  });
  expect(await sallyport(["approval", "send", "wish.json.signed"])).toMatchObject({
    code: 3,
    err: expect.stringMatching(/has signed this already/),
  });

  // the console is somebody else's: it says that something looser is in force, to hide what its text does
  const forged = JSON.parse(readFileSync(join(folder, "wish.json"), "utf8"));
  forged.inForce = forged.statements[0];
  writeFileSync(join(folder, "forged.json"), JSON.stringify(forged));
  const seen = await sallyport(["sign", "forged.json", "--key", "ben.key"], away);
  expect(seen.out).toMatch(
    /Beware\n {2}- r3 is in force by the console's word alone.*\n {2}- you have signed r2, and the console says that r3/,
  );
  expect(seen.out).toMatch(
    /Compared with r3, in force as the console says: Nothing changes\.\n {2}- Compared with r2, which you signed last: 1 tightened/,
  );
  // or calls the group something else than before
  writeFileSync(join(folder, "renamed.json"), JSON.stringify({ ...forged, group: { ...forged.group, name: "test" } }));
  expect((await sallyport(["sign", "renamed.json", "--key", "ben.key"], away)).out).toMatch(
    /the console called this group desks when you last signed for it, and calls it test now/,
  );
  // or hands over a text that is not what it carries
  forged.statements[0].carried = forged.statements[0].carried.replace('"hold"', '"allow"');
  writeFileSync(join(folder, "forged.json"), JSON.stringify(forged));
  const wrong = await sallyport(["sign", "forged.json", "--key", "ben.key"], away);
  expect(wrong).toMatchObject({ code: 3, err: expect.stringMatching(/^Do not sign this: .*not what it names/) });
});

test("a rollout waits as well, says so to a pipeline, and begins when it is signed", {
  timeout: RUNS_MS_MAX,
}, async () => {
  writeFileSync(join(folder, "policy.yaml"), "log: { linesPerSecond: 70 }\n");
  writeFileSync(join(folder, "plan.yaml"), "waves:\n  - all: true\n");
  const asked = ["--group", "desks", "--policy", "policy.yaml", "--plan", "plan.yaml", "--message", "in waves"];
  const begun = await sallyport(["rollout", "start", ...asked, "--watch"]);
  expect(begun).toMatchObject({ code: 4, out: expect.stringMatching(/waits for 2 approvers until .*sallyport sign/) });
  const id = /sallyport sign ([0-9a-f-]{36})/.exec(begun.out)![1]!;
  for (const key of ["anna.key", "ben.key"]) {
    const shown = await sallyport(["approval", "show", id, "--key", key, "--json"]);
    const { confirm, other } = JSON.parse(shown.out) as { confirm: string; other: string[] };
    expect(other).toContainEqual(expect.stringMatching(/if the rollout is aborted, .*: Nothing changes\.$/));
    expect((await sallyport(["sign", id, "--key", key, "--confirm", confirm])).code).toBe(0);
  }
  const { rows } = await cli.pool.query("SELECT fallback IS NOT NULL AS signed, message FROM rollout");
  expect(rows).toEqual([{ signed: true, message: "in waves" }]);
});

test("all that waits is listed, though a page of it ends before", { timeout: RUNS_MS_MAX }, async () => {
  await cli.pool.query(
    `INSERT INTO proposal (id, group_id, kind, text, message, subject, act, asked_by, asked_at, expires)
     SELECT gen_random_uuid(), $1, 'command', 'one of many', '', '', '{}', 'nora', now(), now() + interval '1 h'
       FROM generate_series(1, 730)`,
    [group],
  );
  const { out } = await sallyport(["approval", "list", "--json"]);
  const many = (JSON.parse(out) as { id: string; text: string }[]).filter(({ text }) => text === "one of many");
  expect(new Set(many.map(({ id }) => id)).size).toBe(730);
  await cli.pool.query("DELETE FROM proposal WHERE text = 'one of many'");
});

test("what cannot be is told with its exit code", { timeout: RUNS_MS_MAX }, async () => {
  expect(await sallyport(["approval", "list"], { SALLYPORT_TOKEN: tokens.other })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no scope "approval"/),
  });
  chmodSync(join(folder, "ben.key"), 0o644);
  expect(await sallyport(["sign", "--key", "ben.key"])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/can be read by others than its owner/),
  });
  chmodSync(join(folder, "ben.key"), 0o600);
  const id = await offer("usb: { deviceRules: [], unscannable: block }\n", "a third");
  await sallyport(["key", "new", "cleo.key", "--name", "Cleo", "--no-passphrase"]);
  const shown = await sallyport(["approval", "show", id, "--key", "cleo.key", "--json"]);
  const { confirm, warnings } = JSON.parse(shown.out) as { confirm: string; warnings: string[] };
  expect(warnings).toContain("the console says that your key is none of this group's approvers");
  expect(await sallyport(["sign", id, "--key", "cleo.key", "--confirm", confirm])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/\(403\): The key [0-9a-f]{8} is none of desks's approvers/),
  });
  expect(await sallyport(["approval", "show", "00000000-0000-4000-8000-000000000000"])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nothing of this id/),
  });
  expect(await sallyport(["sign", "ben.key", "--key", "ben.key"])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nothing that waits for signatures/),
  });
  for (const words of [["approval"], ["sign"], ["key"]])
    expect((await sallyport(["completion", "bash"])).out).toContain(`"${words[0]} `);
});
