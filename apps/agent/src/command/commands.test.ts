import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { NO_SPARE, spareIn } from "../dom0/spare.ts";
import { believe } from "../policy/believe.ts";
import { EMPTY_KEPT, type Kept } from "../policy/kept.ts";
import { simXl } from "../sim/xl.ts";
import { Commands } from "./commands.ts";
import { isolatePerformer, releasePerformer } from "./cut.ts";
import { destroyPerformer, pausePerformer, resumePerformer } from "./guest.ts";
import { decode, journalFile } from "./journal-file.ts";
import type { Performers } from "./performer.ts";
import { startPerformer } from "./start-guest.ts";

const WORKSTATION = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const GROUP = "22222222-2222-4222-8222-222222222222" as GroupId;
const ISSUED = "2026-11-24T10:00:00.000Z";
const NOT_AFTER = "2026-11-24T11:00:00.000Z";
const START = Date.parse(ISSUED) + 1_000;
const [consoleKey, anna] = [newSigner(), newSigner()];
const silent = { debug() {}, info() {}, warn() {}, error() {} };

class Killed extends Error {}

/** A dom0 whose disk outlives the process on it. `killAfter`: the process ends at so many writes of the journal. */
function machine(spare = NO_SPARE) {
  const disk = { kept: undefined as string | undefined, copy: undefined as string | undefined, full: false };
  const trail: Observation[] = [];
  const positions = new Map<string, Json>();
  const xl = simXl();
  const clock = { now: START, floor: START };
  const network: { state: SectionState } = { state: { outcome: "not-applied", reason: "no firewall" } };
  const files = new Map<string, string>();
  let boot = "first";

  /** A look that is under way until it is let go. */
  const look = { begun: () => {}, until: Promise.resolve() };

  async function start(killAfter = Number.POSITIVE_INFINITY) {
    let writes = 0;
    let lives = true;
    const stop = new AbortController();
    const file = journalFile(
      {
        read: async () => disk.kept,
        write(text) {
          if (!lives || writes++ >= killAfter) {
            lives = false;
            throw new Killed();
          }
          disk.kept = text;
        },
      },
      {
        read: async () => disk.copy,
        write(text) {
          if (!lives) throw new Killed();
          if (disk.full) throw new Error("ENOSPC: no space left on device");
          disk.copy = text;
        },
      },
    );
    let waiting: (() => void)[] = [];
    const commands = await Commands.open({
      file,
      spare,
      emit: async ({ observations, position }) => {
        if (!lives) return new Promise(() => {});
        trail.push(...observations);
        if (position) positions.set(position.name, position.value);
        for (const wake of waiting) wake();
        waiting = [];
        return { kept: observations.length, suppressed: 0, refused: 0 };
      },
      position: (name) => positions.get(name),
      floor: () => clock.floor,
      now: () => clock.now,
      tell: (observation) => void trail.push(observation),
      changed() {},
      log: silent,
    });
    const settle = async (): Promise<SectionState> => {
      const until = commands.isolation?.until;
      if (network.state.outcome !== "applied") return network.state;
      return { outcome: "applied", found: { ...(until && { isolatedUntil: until }) } };
    };
    const guest = { xl, domainOf: (id: string) => id, bootId: async () => boot };
    const none = { note: async () => null, perform: async () => ({ outcome: "done" as const }) };
    const performers: Performers = {
      isolate: isolatePerformer(settle),
      release: releasePerformer(settle),
      pause: pausePerformer(guest),
      resume: resumePerformer(guest),
      "destroy-guest": destroyPerformer(guest),
      rescan: {
        ...none,
        perform: async () => {
          disk.full = true;
          return { outcome: "done" as const };
        },
      },
      diagnostics: {
        ...none,
        perform: async () => {
          look.begun();
          await look.until;
          return { outcome: "done" as const };
        },
      },
      wipe: none,
      "start-guest": startPerformer({
        ...{ xl, domainOf: (id) => id, fileOf: (id) => files.get(id) },
        faultOf: async (file) => (file.includes("others") ? `${file} belongs to user 1000` : undefined),
      }),
    };
    const running = commands.run(performers, stop.signal).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    return {
      commands,
      /** Until so many answers of a kind are on the trail, or the process was killed. */
      async until(kind: string, count = 1): Promise<void> {
        const enough = () => trail.filter((each) => each.kind === kind).length >= count;
        while (!enough() && lives) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
      },
      async stop(): Promise<void> {
        stop.abort();
        await running;
      },
      get lives() {
        return lives;
      },
    };
  }
  const ends = () => trail.filter((each) => each.kind === "command.done");
  return {
    disk,
    trail,
    positions,
    xl,
    files,
    clock,
    network,
    look,
    start,
    ends,
    reboot: () => {
      boot = "second";
    },
  };
}

let number = 0;
function order(verb: Verb, args: object, more: { notAfter?: string; order?: number } = {}): SignedStatement {
  number += 1;
  const { notAfter = NOT_AFTER } = more;
  const id = `aaaaaaaa-1111-4111-8111-${String(number).padStart(12, "0")}`;
  return signStatement(
    sha256,
    [consoleKey, anna],
    {
      type: "command",
      audience: { workstation: WORKSTATION },
      order: more.order ?? number,
      issued: ISSUED,
      notAfter,
    },
    { id, verb, arguments: args, notAfter },
  );
}

/** The journal is written when an order is received, begun, ended and told. */
const WRITES = [0, 1, 2, 3, 4];

/** The process ends at so many writes of the journal; the next one brings the order to its end, and tells it once. */
async function killedAfter(writes: number, dom0: ReturnType<typeof machine>, asked: SignedStatement): Promise<void> {
  const first = await dom0.start(writes);
  try {
    first.commands.take(asked);
    await first.until("command.done");
  } catch (error) {
    expect(error).toBeInstanceOf(Killed);
  }
  await first.stop();
  const again = await dom0.start();
  // the console sends it until it is answered
  if (!again.commands.holds(asked)) again.commands.take(asked);
  await again.until("command.done");
  await again.stop();
  expect(dom0.trail.map(({ kind }) => kind)).toEqual(["command.received", "command.done"]);
  expect(dom0.ends()).toMatchObject([{ body: { outcome: "done" } }]);
}

describe("a command", () => {
  it("is carried out once and answered twice: that it came, and how it ended", async () => {
    const { start, trail, xl } = machine();
    const id = xl.start("work");
    const agent = await start();
    const pause = order("pause", { guest: "work" });
    agent.commands.take(pause);
    agent.commands.take(pause);
    await agent.until("command.done");
    await agent.stop();
    expect(trail.map(({ kind }) => kind)).toEqual(["command.received", "command.done"]);
    expect(trail[1]).toMatchObject({
      body: { outcome: "done", verb: "pause", reason: `work (domain ${id}) stands still` },
    });
    expect(xl.asked).toEqual([`pause ${id}`]);
    expect(agent.commands.holds(pause)).toBe(true);
    expect((await start()).commands.holds(pause)).toBe(true);
  });

  it("whose end a full disk does not take is done once, and told once there is room again", async () => {
    const { start, ends, disk } = machine();
    const agent = await start();
    agent.commands.take(order("rescan", {}));
    while (!disk.full) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    expect(() => agent.commands.take(order("resume", { guest: "work" }))).toThrow("no space left");
    expect(ends()).toEqual([]);
    disk.full = false;
    agent.commands.take(order("resume", { guest: "nobody" }));
    await agent.until("command.done", 2);
    await agent.stop();
    expect(ends().map(({ body }) => (body as { outcome: string }).outcome)).toEqual(["done", "failed"]);
    expect(disk.full).toBe(false);
  });

  it("that has run out is not begun, and says so", async () => {
    const { start, ends, xl, clock } = machine();
    xl.start("work");
    const agent = await start();
    clock.now = Date.parse(NOT_AFTER);
    agent.commands.take(order("destroy-guest", { guest: "work" }));
    await agent.until("command.done");
    await agent.stop();
    expect(ends()).toMatchObject([{ body: { outcome: "expired" } }]);
    expect(xl.asked).toEqual([]);
  });

  it("that asks for a guest that is not there fails and names those that are", async () => {
    const { start, ends, xl } = machine();
    xl.start("other");
    const agent = await start();
    agent.commands.take(order("pause", { guest: "work" }));
    await agent.until("command.done");
    await agent.stop();
    expect(ends()).toMatchObject([{ severity: "error", body: { outcome: "failed" } }]);
    expect(ends()[0]?.text).toContain("running: other");
  });

  it("pauses a guest that stands still already no second time, and resumes it", async () => {
    const { start, ends, xl } = machine();
    const id = xl.start("work");
    const agent = await start();
    agent.commands.take(order("pause", { guest: "work" }));
    agent.commands.take(order("pause", { guest: "work" }));
    agent.commands.take(order("resume", { guest: "work" }));
    await agent.until("command.done", 3);
    await agent.stop();
    expect(ends().map(({ body }) => (body as { outcome: string }).outcome)).toEqual(["done", "done", "done"]);
    expect(xl.asked).toEqual([`pause ${id}`, `unpause ${id}`]);
  });

  it("never ends dom0 itself", async () => {
    const { start, ends } = machine();
    const agent = await start();
    agent.commands.take(order("destroy-guest", { guest: "domain-0" }));
    await agent.until("command.done");
    await agent.stop();
    expect(ends()).toMatchObject([{ body: { outcome: "failed" } }]);
  });
});

describe("kill -9", () => {
  it.each(WRITES)("after %i writes of the journal ends a guest once, and answers once", async (killAfter) => {
    const dom0 = machine();
    const id = dom0.xl.start("work");
    await killedAfter(killAfter, dom0, order("destroy-guest", { guest: "work" }));
    expect(dom0.xl.asked).toEqual([`destroy ${id}`]);
  });

  it("while a guest is ended touches no guest that was started since", async () => {
    const { start, xl, ends } = machine();
    const id = xl.start("work");
    const first = await start(2);
    first.commands.take(order("destroy-guest", { guest: "work" }));
    await first.until("command.done");
    expect(first.lives).toBe(false);
    await first.stop();
    const next = xl.start("work");
    const again = await start();
    await again.until("command.done");
    await again.stop();
    expect(xl.asked).toEqual([`destroy ${id}`]);
    expect((await xl.domains()).map((domain) => domain.id)).toContain(next);
    expect(ends()).toMatchObject([{ body: { outcome: "done" } }]);
  });

  it("and a restart of the machine touch no guest that has the same number by chance", async () => {
    const one = machine();
    one.xl.start("work");
    const first = await one.start(1);
    const destroy = order("destroy-guest", { guest: "work" });
    first.commands.take(destroy);
    await first.until("command.done");
    await first.stop();
    // begun by a journal that says so, in the boot before
    const journal = JSON.parse(one.disk.copy!);
    one.disk.kept = JSON.stringify(journal);
    one.reboot();
    const again = await one.start();
    await again.until("command.done");
    await again.stop();
    const { stage } = journal.ordered[0];
    expect(stage).toMatchObject({ state: "begun", noted: { bootId: "first" } });
    expect(one.xl.asked).toEqual([]);
    expect(one.ends()).toMatchObject([{ body: { outcome: "done" } }]);
  });

  it("at each beginning is not gone through for ever", async () => {
    const { start, ends, disk, xl } = machine();
    xl.start("work");
    const first = await start(2);
    first.commands.take(order("destroy-guest", { guest: "work" }));
    await first.until("command.done");
    await first.stop();
    const journal = JSON.parse(disk.kept!);
    journal.ordered[0].stage.lives = 5;
    disk.kept = JSON.stringify(journal);
    const again = await start();
    await again.until("command.done");
    await again.stop();
    expect(ends()).toMatchObject([{ body: { outcome: "failed", reason: expect.stringContaining("begun 5 times") } }]);
  });
});

describe("a guest that does not run", () => {
  const FILE = "/etc/xen/work.cfg";
  const startGuest = () => order("start-guest", { guest: "work" });
  async function tried(prepare: (on: ReturnType<typeof machine>) => void) {
    const on = machine();
    prepare(on);
    const agent = await on.start();
    agent.commands.take(startGuest());
    await agent.until("command.done");
    await agent.stop();
    return { ...on, body: on.ends()[0]?.body as { outcome: string; reason: string } };
  }

  it("is started from its file after it was ended, by one order each", async () => {
    const { start, ends, xl, files } = machine();
    files.set("work", FILE);
    xl.lay(FILE, "work");
    const id = xl.start("work");
    const agent = await start();
    agent.commands.take(order("destroy-guest", { guest: "work" }));
    agent.commands.take(startGuest());
    await agent.until("command.done", 2);
    agent.commands.take(startGuest());
    await agent.until("command.done", 3);
    await agent.stop();
    expect(ends().map(({ body }) => (body as { reason: string }).reason)).toEqual([
      `work (domain ${id}) was ended`,
      `work (domain ${id + 1}) was started`,
      `work (domain ${id + 1}) runs already`,
    ]);
    expect(ends().map(({ body }) => (body as { outcome: string }).outcome)).toEqual(["done", "done", "done"]);
    expect(xl.asked).toEqual([`destroy ${id}`, `create ${FILE}`]);
  });

  it.each<[string, (on: ReturnType<typeof machine>) => void, RegExp]>([
    ["whose file is not named", () => {}, /does not run, .* write "xlConfig": .* the entry of work under guests in/],
    [
      "whose file is another's",
      (on) => on.files.set("work", "/etc/xen/others.cfg"),
      /others\.cfg belongs to user 1000/,
    ],
    ["whose file is not there", (on) => on.files.set("work", FILE), /work\.cfg: No such file/],
    [
      "whose file is another guest's",
      ({ files, xl }) => {
        files.set("work", FILE);
        xl.lay(FILE, "play");
      },
      /work\.cfg is for play/,
    ],
  ])("%s is not started, and what to do is said", async (_name, prepare, words) => {
    const { body, xl } = await tried(prepare);
    expect(body).toMatchObject({ outcome: "failed", reason: expect.stringMatching(words) });
    expect(xl.asked).toEqual([]);
  });

  it("but stands still is not called running", async () => {
    const { body } = await tried(({ xl }) => void xl.pause(xl.start("work")));
    expect(body).toMatchObject({ outcome: "failed", reason: expect.stringContaining("resume lets it go on") });
  });

  it.each(WRITES)("is started once over kill -9 after %i writes of the journal", async (killAfter) => {
    const dom0 = machine();
    dom0.files.set("work", FILE);
    dom0.xl.lay(FILE, "work");
    await killedAfter(killAfter, dom0, startGuest());
    expect(dom0.xl.asked).toEqual([`create ${FILE}`]);
  });

  it("is waited for where the agent ended while it was being built", async () => {
    const { start, xl, files, ends } = machine();
    files.set("work", FILE);
    xl.lay(FILE, "work");
    const { release } = xl.hold(FILE);
    const first = await start();
    first.commands.take(startGuest());
    while (!(await xl.isCreating(FILE))) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    await first.stop();
    expect(ends()).toEqual([]);
    const again = await start();
    while (!xl.asked.includes(`join ${FILE}`)) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    expect(ends()).toEqual([]);
    release();
    await again.until("command.done");
    await again.stop();
    expect(xl.asked).toEqual([`create ${FILE}`, `join ${FILE}`]);
    expect(ends()).toMatchObject([{ body: { outcome: "done", found: { domain: "work" } } }]);
  });
});

describe("an isolation", () => {
  const until = "2026-11-24T12:00:00.000Z";
  const end = Date.parse(until);

  it("is done when a look at the firewall says so, holds over a restart, and ends by itself", async () => {
    const { start, ends, network, clock } = machine();
    network.state = { outcome: "applied" };
    const first = await start();
    first.commands.take(order("isolate", { until }));
    await first.until("command.done");
    await first.stop();
    expect(ends()).toMatchObject([{ body: { outcome: "done", found: { until } } }]);
    const again = await start();
    expect(again.commands.isolation?.until).toBe(until);
    clock.now = end;
    expect(again.commands.isolation?.until).toBe(until);
    clock.floor = end;
    expect(again.commands.isolation).toBeUndefined();
    await again.stop();
  });

  it("waits for nothing that is being carried out, nor does its release for a look", async () => {
    const { start, ends, network, look } = machine();
    network.state = { outcome: "applied" };
    let letGo = () => {};
    look.until = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      look.begun = resolve;
    });
    const first = await start();
    first.commands.take(order("diagnostics", {}));
    await begun;
    first.commands.take(order("isolate", { until }));
    await first.until("command.done");
    expect(first.commands.isolation?.until).toBe(until);
    first.commands.take(order("release", {}));
    await first.until("command.done", 2);
    expect(first.commands.isolation).toBeUndefined();
    expect(ends().map(({ body }) => (body as { verb: string }).verb)).toEqual(["isolate", "release"]);
    letGo();
    await first.until("command.done", 3);
    await first.stop();
    expect(ends().map(({ body }) => (body as { outcome: string }).outcome)).toEqual(["done", "done", "done"]);
  });

  /** Isolated, and the guest that was ordered before its release is being built until `release` is called. */
  async function releasedBehindStart() {
    const { start, ends, network, xl, files } = machine();
    network.state = { outcome: "applied" };
    files.set("work", "/etc/xen/work.cfg");
    xl.lay("/etc/xen/work.cfg", "work");
    const { release } = xl.hold("/etc/xen/work.cfg");
    const agent = await start();
    agent.commands.take(order("isolate", { until }));
    await agent.until("command.done");
    agent.commands.take(order("start-guest", { guest: "work" }));
    agent.commands.take(order("release", {}));
    while (!(await xl.isCreating("/etc/xen/work.cfg")))
      await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    return { agent, ends, release };
  }

  it("is ended by no release before what was ordered first, and not by one that was ordered before it", async () => {
    const { agent, ends, release } = await releasedBehindStart();
    agent.commands.take(order("isolate", { until: "2026-11-24T13:00:00.000Z" }));
    await agent.until("command.done", 2);
    release();
    await agent.until("command.done", 4);
    await agent.stop();
    expect(ends().map(({ body }) => body as { verb: string; outcome: string })).toMatchObject([
      { verb: "isolate", outcome: "done" },
      { verb: "isolate", outcome: "done" },
      { verb: "start-guest", outcome: "done" },
      { verb: "release", outcome: "failed" },
    ]);
    expect(agent.commands.isolation?.until).toBe("2026-11-24T13:00:00.000Z");
  });

  it("is ended once what was ordered before its release has ended", async () => {
    const { agent, ends, release } = await releasedBehindStart();
    expect(agent.commands.isolation?.until).toBe(until);
    release();
    await agent.until("command.done", 3);
    await agent.stop();
    expect(ends().map(({ body }) => (body as { verb: string }).verb)).toEqual(["isolate", "start-guest", "release"]);
    expect(agent.commands.isolation).toBeUndefined();
  });

  it("fails aloud where there is no firewall", async () => {
    const { start, ends } = machine();
    const agent = await start();
    agent.commands.take(order("isolate", { until }));
    await agent.until("command.done");
    await agent.stop();
    expect(ends()).toMatchObject([{ body: { outcome: "failed" } }]);
    expect(ends()[0]?.text).toContain("not cut: no firewall");
  });

  it("is ended by a release, and not by a shorter one", async () => {
    const { start, ends, network } = machine();
    network.state = { outcome: "applied" };
    const agent = await start();
    agent.commands.take(order("isolate", { until }));
    agent.commands.take(order("isolate", { until: "2026-11-24T10:00:02.000Z" }));
    await agent.until("command.done", 2);
    expect(agent.commands.isolation?.until).toBe(until);
    agent.commands.take(order("release", {}));
    await agent.until("command.done", 3);
    await agent.stop();
    expect(agent.commands.isolation).toBeUndefined();
    expect(ends().map(({ body }) => (body as { outcome: string }).outcome)).toEqual(["done", "done", "done"]);
  });
});

describe("a journal", () => {
  it("that is damaged is told, and its copy holds", async () => {
    const { start, disk, network, trail } = machine();
    network.state = { outcome: "applied" };
    const first = await start();
    first.commands.take(order("isolate", { until: "2026-11-24T12:00:00.000Z" }));
    await first.until("command.done");
    await first.stop();
    disk.kept = "{ half a";
    const again = await start();
    expect(again.commands.isolation).toBeDefined();
    await again.stop();
    disk.copy = "";
    disk.kept = "";
    const last = await start();
    await last.stop();
    expect(trail.at(-1)).toMatchObject({ kind: "agent.malformed", severity: "critical" });
  });
  it("that is damaged with its copy loses no cut that the unit's folder has", async () => {
    const runtime = mkdtempSync(join(tmpdir(), "sallyport-runtime-"));
    const { start, disk, network, trail, xl } = machine(spareIn(runtime, "commands"));
    network.state = { outcome: "applied" };
    xl.start("work");
    const first = await start();
    first.commands.take(order("pause", { guest: "work" }));
    await first.until("command.done");
    disk.full = true;
    const release = order("release", {});
    expect(() => first.commands.take(release)).toThrow("ENOSPC");
    first.commands.take(order("isolate", { until: "2026-11-24T12:00:00.000Z" }));
    while (!first.commands.isolation) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    await first.stop();
    Object.assign(disk, { kept: "", copy: "{ half a" });
    for (const _start of [1, 2]) {
      const again = await start();
      expect(again.commands.isolation?.until).toBe("2026-11-24T12:00:00.000Z");
      expect(trail.at(-1)).toMatchObject({ kind: "agent.malformed", text: expect.stringMatching(/cut .* holds/) });
      await again.stop();
    }
    disk.full = false;
    const last = await start();
    while (last.commands.unkept) await new Promise<void>((resolve) => void setTimeout(resolve, 1));
    await last.until("command.done", 2);
    // sent again; the cut was ordered after it
    last.commands.take(release);
    await last.until("command.done", 3);
    await last.stop();
    expect(trail.filter(({ kind }) => kind === "command.done").map(({ body }) => body)).toMatchObject([
      { verb: "pause", outcome: "done" },
      { verb: "isolate", outcome: "done" },
      { verb: "release", outcome: "failed" },
    ]);
    expect(decode(disk.kept!)).toMatchObject({ isolation: { until: "2026-11-24T12:00:00.000Z" } });
    expect(readdirSync(runtime)).toEqual([]);
    expect(xl.asked).toHaveLength(1);
    rmSync(runtime, { recursive: true });
  });
  it.each(["", "null", "[]", '{"ordered":[{}]}', "{"])("is not read from %j", (text) => {
    expect(decode(text)).toBeUndefined();
  });
});

describe("what is believed of an order", () => {
  const membership = signStatement(
    sha256,
    [consoleKey],
    { type: "membership", audience: { workstation: WORKSTATION }, order: 1, issued: ISSUED },
    {
      workstation: WORKSTATION,
      group: GROUP,
      groupName: "strict",
      signers: {
        threshold: 2,
        keys: [consoleKey, anna].map(({ publicKey }, at) => ({
          id: keyId(sha256, publicKey),
          publicKey: toBase64(publicKey),
          role: at === 0 ? "console" : "approver",
        })),
      },
    },
  );
  const self = { workstation: WORKSTATION, group: GROUP, consoleKeys: [toBase64(consoleKey.publicKey)] };
  const offer = (kept: Kept, statement: unknown) =>
    believe(sha256, ed25519Verify, self, kept, statement, Date.parse(ISSUED));
  const taken = (kept: Kept, statement: unknown): Kept => {
    const believed = offer(kept, statement);
    if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
    return believed.kept;
  };
  const strict = taken(EMPTY_KEPT, membership);
  const alone = (verb: Verb, args: object, at: number) =>
    signStatement(
      sha256,
      [consoleKey],
      { type: "command", audience: { workstation: WORKSTATION }, order: at, issued: ISSUED, notAfter: NOT_AFTER },
      { id: "bbbbbbbb-1111-4111-8111-111111111111", verb, arguments: args, notAfter: NOT_AFTER },
    );
  const volume = "01234567-89ab-cdef-0123-456789abcdef";

  it("under a threshold of two the console alone may isolate, and may not wipe, release, end or start a guest", () => {
    const answer = (verb: Verb, args: object) => {
      const believed = offer(strict, alone(verb, args, 1));
      return believed.answer === "refused" ? believed.refusal.code : believed.answer;
    };
    expect(answer("isolate", { until: "2026-11-24T12:00:00.000Z" })).toBe("taken");
    expect(answer("wipe", { volume })).toBe("signatures");
    expect(answer("release", {})).toBe("signatures");
    expect(answer("destroy-guest", { guest: "work" })).toBe("signatures");
    expect(answer("start-guest", { guest: "work" })).toBe("signatures");
  });

  it("an old order is refused, the newest one is known when it comes again", () => {
    const [older, newer] = [order("rescan", {}, { order: 1 }), order("rescan", {}, { order: 2 })];
    const kept = taken(strict, newer);
    expect(offer(kept, newer).answer).toBe("held");
    expect(offer(kept, older)).toMatchObject({ answer: "refused", refusal: { code: "old-order" } });
  });
});
