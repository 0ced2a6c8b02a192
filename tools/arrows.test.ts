/** Which imports may exist (ARCHITECTURE.md "Arrows"), as a table. An import that only takes types is erased before
 *  anything runs, and counts only where the type is a database's. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Arrow, arrowsOf, reached, sourcesOf } from "./arrows.ts";

const WEB = "apps/web/src/";
const AGENT = "apps/agent/src/";
const isGenerated = (file: string) => file.startsWith(`${WEB}prisma/generated/`);
const files = sourcesOf(["apps", "packages"]).filter((file) => /\/src\//.test(file) && !isGenerated(file));
const arrows = arrowsOf(files);
const says = ({ from, to }: Arrow) => `${from} → ${to}`;
const within = (folder: string) => (file: string) => file.startsWith(folder);

describe("each import", () => {
  it("leads to a file that is committed beside it, but for what the build generates", () => {
    const tracked = new Set(
      execFileSync("git", ["ls-files"], { cwd: new URL("..", import.meta.url), encoding: "utf8" }).split("\n"),
    );
    const inTree = arrows.filter(({ to }) => /^(?:apps|packages|prisma|tools|e2e)\//.test(to) && !isGenerated(to));
    expect(inTree.length).toBeGreaterThan(500);
    expect(inTree.filter(({ to }) => !tracked.has(to)).map(says)).toEqual([]);
  });
});

/** Each needs the other by what it is. */
const MUTUAL = ["fields.tsx", "lists.tsx"].map((name) => `${WEB}policy/view/${name}`); // a list has rows of fields, a field may be a list

describe("no file", () => {
  it("runs itself, by whatever path", () => {
    const others = arrows.filter(({ from, to }) => !(MUTUAL.includes(from) && MUTUAL.includes(to)));
    const circles = files.flatMap((file) =>
      others
        .filter(({ to, typesOnly }) => to === file && !typesOnly)
        .flatMap(({ from }) => reached(others, file).get(from) ?? []),
    );
    expect(circles).toEqual([]);
  });
});

describe("packages", () => {
  /** What each may import of the others. */
  const MAY: Record<string, RegExp> = {
    "packages/shared/": /^packages\/shared\//,
    "packages/cli/": /^packages\/(?:cli|shared)\//,
    "apps/agent/": /^(?:apps\/agent|packages\/shared)\//,
    "apps/web/": /^(?:apps\/web|packages\/shared)\//,
    // starts everything on one machine: what the worker and the console's set-up do once, it does with their own files
    "packages/up/":
      /^(?:packages\/(?:up|shared)\/|apps\/web\/src\/(?:listener|person\/setup|trail\/restored)|apps\/agent\/bin\/)/,
  };

  it("stand on shared, and on nothing of one another", () => {
    for (const [folder, may] of Object.entries(MAY)) {
      const beyond = arrows.filter(({ from, to }) => from.startsWith(folder) && /^(?:apps|packages)\//.test(to));
      expect(beyond.filter(({ to }) => !may.test(to)).map(says)).toEqual([]);
    }
  });

  it("have in shared nothing but contracts and pure rules", () => {
    const packages = arrows.filter(
      ({ from, to }) => from.startsWith("packages/shared/") && !to.startsWith("packages/"),
    );
    expect(packages.filter(({ to }) => to !== "zod" && to !== "yaml").map(says)).toEqual([]);
  });
});

describe("in the console", () => {
  const DATABASE = /^(?:pg|pg-copy-streams|@prisma\/.*|apps\/web\/src\/prisma\/generated\/.*)$/;
  /** The hops between rows and the wire. */
  const HOPS = ["ingest", "dispatch", "listener"];
  /** Beside the hops, the two wirings, `transaction.ts` and each noun's `store.ts`: a noun's files that ask the database. */
  const ASKS: Record<string, string[]> = {
    approval: [
      ...["propose.ts", "sign.ts", "carry-out.ts", "withdraw.ts"], // from asking to doing, each in one transaction
      ...["signers.ts", "keys.ts", "respond.ts"],
      ...["rotate.ts", "rotate-here.ts"], // run by the command line on the console's machine
    ],
    artifact: ["respond.ts"], // a file is streamed into pieces, and its record is in the transaction that names it
    certificate: ["certificates.ts"], // looked through by the worker, at its own pace
    destination: ["queue.ts", "deliver.ts"], // what is on its way, and the worker's loop over it
    deny: ["change.ts"], // signed in the caller's transaction
    escrow: ["destroy.ts"], // a loop of the worker's, each in one transaction with its record
    export: ["respond.ts"], // an HTTP answer that streams rows
    person: [
      "act.ts", // each change and its record, in one transaction
      ...["api-token.ts", "attempt.ts", "auth.ts", "prune.ts", "setup.ts"], // who somebody is, before there is a router
      ...["reset.ts", "reset-here.ts"], // the last way back in, run by the command line
      "listed.ts", // page by page
    ],
    command: ["ask.ts"],
    policy: ["managed.ts", "publish.ts", "repository.ts", "repository-groups.ts", "repository-step.ts"], // asked by whoever would write; a folder applied in one transaction
    quarantine: ["respond.ts"],
    record: ["heard.ts", "tail.ts", "story.ts", "histogram.ts", "windows.ts"], // the live tail; what a search is cut into
    replay: ["gather.ts", "gathered.ts", "respond.ts", "run.ts"], // the worker's loop, and an HTTP answer page by page
    rollout: ["act.ts", "apply.ts", "facts.ts", "listed.ts", "respond.ts", "start.ts", "step.ts", "supersede.ts"], // also the worker's
    trail: ["ranges.ts", "recorder.ts", "restored.ts"], // where a trail's records lie; the console's own trail
    usb: ["exception.ts", "requests.ts", "revoke.ts"],
    workstation: ["change.ts", "fleet.ts"],
  };
  const asks = (file: string) => {
    const [noun = "", name = "", ...deeper] = file.slice(WEB.length).split("/");
    if (["wiring.ts", "worker.ts", "transaction.ts"].includes(noun) || HOPS.includes(noun)) return true;
    return deeper.length === 0 && (name === "store.ts" || (ASKS[noun] ?? []).includes(name));
  };

  it("only a noun's store, its files named above, and the hops see the database, even as a type", () => {
    const seen = arrows.filter(({ from, to }) => from.startsWith(WEB) && DATABASE.test(to) && !asks(from));
    expect(seen.map(says)).toEqual([]);
  });

  it("the table names no file that is gone, or that asks nothing", () => {
    const named = Object.entries(ASKS).flatMap(([noun, names]) => names.map((name) => `${WEB}${noun}/${name}`));
    expect(named.filter((file) => !arrows.some(({ from, to }) => from === file && DATABASE.test(to)))).toEqual([]);
  });

  it("a connection is made in the wirings, to wake the worker's loops, for one shard's lock, and by what the command line runs alone", () => {
    const made = arrows.filter(({ from, to, typesOnly }) => from.startsWith(WEB) && DATABASE.test(to) && !typesOnly);
    expect([...new Set(made.map(({ from }) => from.slice(WEB.length)))].sort()).toEqual([
      "approval/rotate-here.ts",
      "dispatch/listen.ts",
      "ingest/copy.ts",
      "ingest/shards.ts",
      "person/reset-here.ts",
      "trail/restored.ts",
      "wiring.ts",
      "worker.ts",
    ]);
  });

  it("a transaction is begun in one place, and by what restores a backup, whose connection ends with it", () => {
    const begins = (file: string) =>
      /query\(["'`]BEGIN/.test(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"));
    const found = files.filter((file) => file.startsWith(WEB) && begins(file));
    expect(found.map((file) => file.slice(WEB.length))).toEqual(["trail/restored.ts", "transaction.ts"]);
  });

  const views = files.filter((file) => file.startsWith(WEB) && /\/(?:view|ui)\//.test(file));

  it("no view runs anything of the server, by whatever path", () => {
    expect(views.length).toBeGreaterThan(50);
    const server = /^(?:node:.*|pg|mqtt|pino|better-auth|next\/headers|next\/server|@prisma\/.*)$/;
    const paths = views.flatMap((view) => [...reached(arrows, view)].filter(([to]) => server.test(to)));
    expect(paths.map(([, path]) => path.join(" → "))).toEqual([]);
  });

  it("visual parts know no noun", () => {
    const parts = arrows.filter(({ from, to }) => from.startsWith(`${WEB}ui/`) && to.startsWith(WEB));
    expect(parts.filter(({ to }) => !to.startsWith(`${WEB}ui/`)).map(says)).toEqual([]);
  });

  /** What one noun shows the others; nothing else of it is imported from outside. */
  const DOORS: Record<string, string[]> = {
    alert: ["raise.ts"], // which records are alerts: asked while they are taken in
    approval: [
      "propose.ts", // what needs people is put before them, by whoever asks for it
      "withdraw.ts",
      ...["view/signers.tsx", "view/words.tsx"], // who signs, on a group's page; that something waits, wherever it was asked
    ],
    command: ["ask.ts", "many.ts", "view/commands.tsx", "view/many.tsx"], // and what is signed is done by the noun that asked
    destination: ["destination.ts"], // from when on a failure is told
    deny: ["view/button.tsx"], // beside whatever must not spread
    dispatch: [
      ...["publication.ts", "sign.ts"], // statements are signed in one place
      "rounds.ts", // how a loop of the worker's looks at its rows
    ],
    escrow: ["view/escrow.tsx"],
    ingest: ["trails.ts"], // the console's own trail is appended to as any other
    overview: ["view/shell.tsx"], // who is looking, and what they may do
    person: [
      ...["act.ts", "actor.ts", "api-token.ts", "role.ts"], // who asks, whether they may, and its record
      "view/sign-out.tsx", // in the frame of every page
    ],
    policy: ["managed.ts", "publish.ts"], // whoever would write policy asks whether a repository is its source
    quarantine: ["words.ts"],
    record: ["filter.ts", "view/tone.ts"], // a search is a link from anywhere
    replay: ["view/replay.tsx"], // beside the text that it is of
    rollout: ["start.ts", "supersede.ts", "view/start.tsx"], // a pipeline begins one; publishing by hand ends one
    trail: [
      ...["crypto.ts", "sha256.ts", "key.ts"], // node:crypto in shared's shapes
      ...["ranges.ts", "recorder.ts"], // where records lie; the console's own trail
      ...["view/proof-tab.tsx", "view/proved.tsx"],
    ],
    usb: ["exception.ts"],
    workstation: [
      ...["change.ts", "found.ts", "label.ts", "status.ts", "view/words.tsx"],
      "view/only.tsx", // that a list is of one alone
    ],
  };
  /** Another noun's store, each with why. */
  const EXCEPTIONS: Record<string, string> = {
    [`${WEB}export/query.ts → ${WEB}trail/store.ts`]: "an exported entry is rebuilt by the very code that proves it",
    [`${WEB}ingest/trails.ts → ${WEB}trail/store.ts`]: "ingest writes the tiles that the store reads",
  };
  const nounOf = (file: string) => (file.startsWith(WEB) ? file.slice(WEB.length).split("/") : []);
  const isNoun = (folder: string | undefined) =>
    folder !== undefined && !folder.includes(".") && !["app", "trpc", "ui", "prisma", "link"].includes(folder);

  it("a noun runs another only through its doors", () => {
    const foreign = arrows.filter(({ from, to, typesOnly }) => {
      const [one, [other, ...rest]] = [nounOf(from)[0], nounOf(to)];
      if (typesOnly || one === other || !isNoun(one) || !isNoun(other)) return false;
      return !(DOORS[other!] ?? []).includes(rest.join("/"));
    });
    expect(foreign.map(says).filter((each) => !(each in EXCEPTIONS))).toEqual([]);
    expect(Object.keys(EXCEPTIONS).filter((each) => !foreign.map(says).includes(each))).toEqual([]);
  });

  it("a route takes views, what answers a request, and who is signed in", () => {
    const may = /^apps\/web\/src\/(?:app|ui|trpc|wiring\.ts|[a-z-]+\/(?:view\/|respond\.ts$))/;
    const named = ["person/setup.ts", "person/auth.ts", "record/filter.ts", "enrol/packages.ts"].map(
      (file) => WEB + file,
    );
    const taken = arrows.filter(({ from, to }) => from.startsWith(`${WEB}app/`) && to.startsWith(WEB));
    expect(taken.filter(({ to }) => !may.test(to) && !named.includes(to)).map(says)).toEqual([]);
  });
});

describe("in the agent", () => {
  const of = (...folders: string[]) => files.filter((file) => folders.some((each) => within(AGENT + each)(file)));
  const direct = (from: readonly string[], to: RegExp) => [
    ...new Set(arrows.filter((arrow) => from.includes(arrow.from) && !arrow.typesOnly && to.test(arrow.to)).map(says)),
  ];
  const all = of("");
  /** They run in a process of their own, confined: not the agent's. */
  const CONFINED = [`${AGENT}gate/reader/`, `${AGENT}gate/rebuild/`];
  const agent = all.filter((file) => !CONFINED.some((folder) => file.startsWith(folder)));

  it("only link/ speaks MQTT, only dom0/ starts processes", () => {
    const outside = (folder: string) => agent.filter((file) => !file.startsWith(AGENT + folder));
    expect(direct(outside("link/"), /^mqtt$/)).toEqual([]);
    expect(direct(outside("dom0/"), /^node:child_process$/)).toEqual([]);
  });

  it("only dom0/, spool/, policy/ and enrol/ touch the disk, the pretend dom0, and what a person runs", () => {
    const may = new RegExp(`^${AGENT}(?:dom0|spool|policy|enrol|sim)/`);
    const run = ["config.ts", "pin-keyboards.ts", "status.ts"].map((file) => AGENT + file);
    const rest = agent.filter((file) => !may.test(file) && !run.includes(file));
    expect(direct(rest, /^node:(?:fs|fs\/promises|sqlite)$/)).toEqual([]);
  });

  it("what is confined takes nothing of the agent that acts", () => {
    const paths = all
      .filter((file) => CONFINED.some((folder) => file.startsWith(folder)))
      .flatMap((file) => [...reached(arrows, file)])
      .filter(([to]) => to.startsWith(AGENT) && !CONFINED.some((folder) => to.startsWith(folder)));
    expect(paths.map(([, path]) => path.join(" → "))).toEqual([]);
  });

  const HOPS = ["sources", "gate", "spool", "uplink", "appliers", "reconcile", "command", "report", "policy", "link"];
  /** dom0's error, hashes, and names that are the same on both sides: no act is among them. */
  const NAMES: Record<string, string> = {
    "dom0.ts": "its shape, and the one error it throws",
    "crypto.ts": "node:crypto in shared's shapes",
    "detector.ts": "the names of its sockets",
    "disk.ts": "the bound of a header's area",
    "usb.ts": "what a port hangs on",
    "usb-units.ts": "whether a node is a device's",
  };
  /** Commands that a person runs: they wire themselves. */
  const COMMANDS = ["gate/command.ts", "sources/command.ts"].map((file) => AGENT + file);

  it("a hop is given dom0 as an argument: it imports its shape, never its acts", () => {
    const hops = of(...HOPS.map((hop) => `${hop}/`)).filter((file) => !COMMANDS.includes(file));
    const names = Object.keys(NAMES).map((name) => `${AGENT}dom0/${name}`);
    const taken = arrows.filter(
      ({ from, to, typesOnly }) => !typesOnly && hops.includes(from) && to.startsWith(`${AGENT}dom0/`),
    );
    expect(taken.filter(({ to }) => !names.includes(to)).map(says)).toEqual([]);
    expect(names.filter((name) => !taken.some(({ to }) => to === name))).toEqual([]);
  });

  it("a hop runs another only in the order in which records and policy pass", () => {
    const MAY: Record<string, string[]> = {
      gate: ["spool"],
      policy: ["enrol", "sources"],
      reconcile: ["appliers"],
      enrol: [],
    };
    const folderOf = (file: string) => (file.startsWith(AGENT) ? file.slice(AGENT.length).split("/")[0]! : "");
    const odd = arrows.filter(({ from, to, typesOnly }) => {
      const [one, other] = [folderOf(from), folderOf(to)];
      if (typesOnly || one === other || !HOPS.includes(one) || !HOPS.includes(other)) return false;
      return !(MAY[one] ?? []).includes(other);
    });
    expect(odd.map(says)).toEqual([]);
  });
});

describe("the graph itself", () => {
  const read = (text: string) => arrowsOf(["a/b.ts"], () => text);
  it("tells types from values, over lines and in either spelling", () => {
    expect(read('import type { A } from "pg";')).toEqual([{ from: "a/b.ts", to: "pg", typesOnly: true }]);
    expect(read('import {\n  type A,\n  type B,\n} from "./c.ts";')).toEqual([
      { from: "a/b.ts", to: "a/c.ts", typesOnly: true },
    ]);
    expect(read('import { type A, b } from "../c.ts";')).toEqual([{ from: "a/b.ts", to: "c.ts", typesOnly: false }]);
    expect(read('import d, { type A } from "pg";')).toMatchObject([{ typesOnly: false }]);
    expect(read('import "./side.ts";')).toMatchObject([{ to: "a/side.ts", typesOnly: false }]);
    expect(read('const later = await import("./later.ts");')).toMatchObject([{ to: "a/later.ts", typesOnly: false }]);
  });
  it("follows values alone", () => {
    const arrow = (from: string, to: string, typesOnly = false) => ({ from, to, typesOnly });
    const graph = [arrow("a", "b"), arrow("b", "a"), arrow("b", "c"), arrow("c", "pg", true), arrow("c", "node:fs")];
    expect(Object.fromEntries(reached(graph, "a"))).toEqual({
      a: ["a"],
      b: ["a", "b"],
      c: ["a", "b", "c"],
      "node:fs": ["a", "b", "c", "node:fs"],
    });
  });
});
