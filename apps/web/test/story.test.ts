import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { tellStory } from "../src/record/story.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const IMAGE = { sha256: "ab".repeat(32), size: 1_048_576 };
const BAD = "cd".repeat(32);
const DIGEST = "ef".repeat(32);

let postgres: TestPostgres;
let pool: pg.Pool;
let lab: number;
let fin: number;

const line = (guest: string, message: string): Seen => ({
  kind: "guest.log",
  severity: "info",
  guest,
  text: message,
  body: {
    via: "udp",
    from: guest === "win11" ? "vif1.0" : "vif2.0",
    format: "plain",
    message,
    app: "sshd",
    process: "411",
  },
  agoMs: 0,
});
const scan = (source: string, image = IMAGE): Seen => ({
  kind: "usb.scan",
  severity: "error",
  text: `${source}: block`,
  body: {
    source,
    image,
    verdict: "block",
    reason: "infected",
    scanner: null,
    manifest: [
      { path: "a.scr", size: 1, md5: "0".repeat(32), sha256: BAD, type: "application/x-dosexec", finding: "infected" },
      { path: "b.txt", size: 1, md5: "1".repeat(32), sha256: "12".repeat(32), type: "text/plain", finding: "clean" },
    ],
  },
  agoMs: 0,
});
const usb = (kind: string, body: object): Seen => ({ kind, severity: "info", text: kind, body, agoMs: 0 });
const inOrder = (seen: Seen[]): Seen[] => seen.map((each, at) => ({ ...each, agoMs: (seen.length - at) * 1_000 }));

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "lab", new Uint8Array(32));
  const noise = Array.from({ length: 30 }, (_, at) => line("win11", `noise ${at}`));
  lab = await seedTrail(
    pool,
    await seedWorkstation(pool, { name: "lab-07", group }),
    inOrder([
      usb("usb.device", { stick: "1-2/0781:5581" }), // 0
      ...noise, // 1..30
      usb("usb.step", { stick: "1-2/0781:5581", step: "sealed", image: IMAGE }), // 31
      scan("holiday.img"), // 32
      usb("usb.removed", { stick: "1-2/0781:5581" }), // 33
      line("debian", "of another guest"), // 34
      line("win11", "after"), // 35
      { ...usb("policy.applied", { digest: DIGEST, order: 2, outcomes: {} }), severity: "notice" }, // 36
      { ...usb("guest.log", {}), text: "an odd body", guest: "win11" }, // 37
    ]),
  );
  fin = await seedTrail(
    pool,
    await seedWorkstation(pool, { name: "fin-02", group }),
    inOrder([scan("same bytes.img"), scan("other stick.img", { sha256: "34".repeat(32), size: 4 })]),
  );
  await pool.query(
    "INSERT INTO alert (key, trail, index, kind, severity, title, reason) VALUES ('scan/1', $1, 32, 'usb.scan', 4, 'a stick', 'infected')",
    [lab],
  );
  const ours = await seedTrail(pool, await seedWorkstation(pool, { name: "x", group }), [
    { ...usb("person.policy-published", { actor: { id: "p" }, after: { digest: DIGEST } }), text: "published r2" },
  ]);
  await pool.query("UPDATE trail SET workstation_id = NULL WHERE num = $1", [ours]);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const told = (chapters: { index: number; ties: string[] }[]) => chapters.map(({ index, ties }) => [index, ...ties]);

test("a stick's scan is told from its sealing on, with the alert it raised and every other place its bytes were seen", async () => {
  const story = await tellStory(pool, lab, 32, true);
  expect(told(story.chapters)).toEqual([[28], [29], [30], [31, "image"], [32], [33], [34], [35], [36]]);
  expect(story.elsewhere.map(({ trail, index, ties }) => ({ trail, index, ties: [...ties].sort() }))).toEqual(
    expect.arrayContaining([
      { trail: fin, index: 0, ties: ["file", "image"] },
      { trail: fin, index: 1, ties: ["file"] },
    ]),
  );
  expect(story.elsewhere).toHaveLength(2);
  expect(story.alerts).toMatchObject([{ title: "a stick", severity: "error", state: "open" }]);
  expect(story.bounded).toBe(false);
});

test("a stick's first sight is told with the steps far from it, and not with another stick's", async () => {
  const { chapters } = await tellStory(pool, lab, 0, true);
  expect(told(chapters).filter(([, ...ties]) => ties.length > 0)).toEqual([
    [31, "stick"],
    [33, "stick"],
  ]);
});

test("a guest's line stands among that guest's lines, not among those of its neighbour", async () => {
  const { chapters } = await tellStory(pool, lab, 35, true);
  expect(chapters.map(({ index }) => index)).not.toContain(34);
  expect(chapters.find(({ index }) => index === 30)?.ties).toEqual(["process"]);
});

test("a policy that came into force leads to who published it", async () => {
  const { elsewhere } = await tellStory(pool, lab, 36, true);
  expect(elsewhere).toMatchObject([{ kind: "person.policy-published", workstation: null, ties: ["policy"] }]);
});

test("who may not read contents is told neighbours, and no tie that would say what they hold", async () => {
  const story = await tellStory(pool, lab, 32, false);
  expect(story.elsewhere).toEqual([]);
  expect(story.chapters.flatMap(({ ties, text }) => [...ties, text]).filter((each) => each !== null)).toEqual([]);
  expect((await tellStory(pool, lab, 32, true)).alerts).not.toEqual([]);
  expect(story.alerts).toEqual([]); // an alert's title is its record's line
});

test("more records of one story than are shown are bounded, and it says so", async () => {
  const group = await seedGroup(pool, "busy", new Uint8Array(32));
  const flow: Seen = {
    kind: "ids.event",
    severity: "info",
    text: "flow",
    body: { flow: "18446744073709551615", type: "flow", eventTime: "", event: {} },
    agoMs: 0,
  };
  const trail = await seedTrail(
    pool,
    await seedWorkstation(pool, { name: "busy", group }),
    inOrder(Array.from({ length: 120 }, () => flow)),
  );
  const { chapters, bounded } = await tellStory(pool, trail, 60, true);
  expect(bounded).toBe(true);
  expect(chapters.length).toBeLessThanOrEqual(25);
  expect(chapters.filter(({ ties }) => ties.includes("flow"))).toHaveLength(24);
});

test("a record whose content was given up is told with the gap that says why", async () => {
  const group = await seedGroup(pool, "gap", new Uint8Array(32));
  const lines = Array.from({ length: 20 }, (_, at) => line("win11", `old ${at}`));
  const gap = { from: 2, to: 9, contents: 7, bytes: 700, reason: "spool-full" };
  const trail = await seedTrail(
    pool,
    await seedWorkstation(pool, { name: "full", group }),
    inOrder([...lines, usb("agent.gap", { ...gap, from: 0, to: 1 }), usb("agent.gap", gap)]),
  );
  await pool.query("UPDATE record SET content = NULL, salt = NULL WHERE trail = $1 AND index BETWEEN 2 AND 8", [trail]);
  const { chapters } = await tellStory(pool, trail, 4, true);
  expect(chapters.filter(({ kind }) => kind === "agent.gap").map(({ index }) => index)).toEqual([21]);
});
