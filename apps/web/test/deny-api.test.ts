/** `sallyport deny …` against the console's API, by tokens of several scopes and roles. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { respondDeny } from "../src/deny/respond.ts";
import { type CommandLine, RUNS_MS_MAX, startCommandLine } from "./command-line.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const HASH = "ab".repeat(32);

let cli: CommandLine;
let tokens: { read: string; write: string; viewer: string };

beforeAll(async () => {
  cli = await startCommandLine(respondDeny);
  const { pool, consoleKey } = cli;
  const group = await seedGroup(pool, "floor", consoleKey.publicKey);
  await seedWorkstation(pool, { name: "one", group });
  await seedWorkstation(pool, { name: "twin", group });
  await seedWorkstation(pool, { name: "twin", group });
  tokens = {
    read: await cli.token("rio", "responder", ["deny:read"]),
    write: await cli.token("rio", "responder", ["deny:read", "deny:write"]),
    viewer: await cli.token("vic", "viewer", ["deny:read", "deny:write"]),
  };
});
afterAll(() => cli?.stop());

const sallyport = (token: string, ...args: string[]) => cli.run({ token }, "deny", ...args);

test("what may not be, makes no sense or is not there is refused with its reason and its exit code", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const why = ["--reason", "seen elsewhere"];
  const rows: [string, string[], number, RegExp][] = [
    [tokens.read, ["add", HASH, ...why], 1, /no scope "deny:write"/],
    [tokens.viewer, ["add", HASH, ...why], 1, /As viewer you may not block a file, a device or an address at once/],
    [tokens.write, ["add", "0.0.0.0/0", ...why], 3, /wider than \/8/],
    [tokens.write, ["add", "allow id 0951:1666", ...why], 3, /begins with block/],
    [tokens.write, ["add", HASH, ...why, "--hours", "721"], 1, /from 1 to 720/],
    [tokens.write, ["add", HASH, ...why, "--group", "nobody"], 1, /There is no group nobody/],
    [tokens.write, ["add", HASH, ...why, "--workstation", "twin"], 1, /more than one workstation twin/],
    [tokens.write, ["add", HASH, ...why, "--group", "floor", "--workstation", "one"], 1, /not both/],
    [tokens.write, ["add", HASH, "--reason", "x"], 3, /say in a few words why/],
    [tokens.write, ["lift", "0123456789ab", ...why], 1, /Nothing is denied under 0123456789ab/],
  ];
  for (const [token, args, code, words] of rows)
    expect(await sallyport(token, ...args), args.join(" ")).toMatchObject({ code, err: expect.stringMatching(words) });
  expect((await cli.pool.query("SELECT FROM deny")).rowCount).toBe(0);
});

test("what is denied is listed with its reach, and lifted; the trail names the token and the address", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const added = await sallyport(tokens.write, "add", HASH, "--reason", "ransomware", "--hours", "48", "--json");
  expect(added).toMatchObject({ code: 0, err: "" });
  const { id, whose } = JSON.parse(added.out) as { id: string; whose: string };
  expect(whose).toBe("the whole fleet");
  const more = await sallyport(tokens.write, "add", "bad.example:443", "--reason", "beacon", "--workstation", "one");
  expect(more.out).toMatch(
    /^bad\.example port 443 is blocked on one until .* sallyport deny lift [0-9a-f]{12} --reason/,
  );
  const listed = await sallyport(tokens.read, "list");
  expect(listed.out).toMatch(
    new RegExp(
      `${id}  sha256 ${HASH}  on the whole fleet, until .*Z, by rio@example.org: ransomware\n +0 of 3 connected`,
    ),
  );
  expect((await sallyport(tokens.write, "lift", id, "--reason", "a mistake")).out).toBe(
    `sha256 ${HASH} is not blocked by the overlay of the whole fleet any more.\n`,
  );
  expect(await sallyport(tokens.write, "lift", id, "--reason", "again")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/lifted already/),
  });
  const left = JSON.parse((await sallyport(tokens.read, "list", "--json")).out) as { words: string }[];
  expect(left.map(({ words }) => words)).toEqual(["bad.example port 443"]);
  expect((await sallyport(tokens.read, "list", "--all")).out).toMatch(/sha256 (?:ab){32} .* lifted .*ransomware/);
  const { rows } = await cli.pool.query<{ content: Buffer }>(
    "SELECT content FROM record WHERE kind IN ('person.denied', 'person.deny-lifted') ORDER BY index",
  );
  const bodies = rows.map(({ content }) => JSON.parse(content.toString()).body);
  expect(bodies).toMatchObject([
    { actor: { email: "rio@example.org", token: expect.any(String) }, address: "192.0.2.9", after: { id } },
    { after: { what: "bad.example port 443" } },
    { before: { id }, after: { reason: "a mistake" } },
  ]);
});

test("all that stands is on the first page, however much it is; what has ended goes on behind it", {
  timeout: RUNS_MS_MAX,
}, async () => {
  await cli.pool.query(
    `INSERT INTO deny (id, audience, what, words, reason, until, added_by, added_at, added_order)
     SELECT lpad(n::text, 12, '0'), 'fleet', '{"kind":"file"}', 'w' || n, 'r',
            now() + CASE WHEN n <= 250 THEN 1 ELSE -1 END * interval '1 h', 'rio', now() - n / 3 * interval '1 s', 1
       FROM generate_series(1, 700) n`,
  );
  const { rows: all } = await cli.pool.query<{ id: string; stands: boolean }>(
    "SELECT id, lifted_at IS NULL AND until > now() AS stands FROM deny ORDER BY 2 DESC",
  );
  const standing = all.filter(({ stands }) => stands).length;
  const first = await respondDeny(
    cli,
    new Request("https://console.example/api/deny", { headers: { authorization: `Bearer ${tokens.read}` } }),
  );
  const rows = (await first.json()) as { ended: object | null }[];
  expect(rows.filter(({ ended }) => ended === null)).toHaveLength(standing);
  expect(rows.length).toBeLessThan(all.length);
  expect(first.headers.get("link")).toMatch(/^<\/api\/deny\?after=[^>]+>; rel="next"$/);
  const ids = async (...more: string[]) =>
    (JSON.parse((await sallyport(tokens.read, "list", "--json", ...more)).out) as { id: string }[]).map(({ id }) => id);
  expect(await ids()).toHaveLength(standing);
  expect((await ids("--all")).sort()).toEqual(all.map(({ id }) => id).sort());
});
