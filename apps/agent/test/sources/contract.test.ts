/** What each source in the list keeps to: constructing does nothing, start and stop are symmetrical, input arrives. */
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { watch } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiveDatagrams } from "../../src/dom0/datagrams.ts";
import type { Dom0 } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { receiveUdp } from "../../src/dom0/udp.ts";
import { listSources, SourceChoice } from "../../src/sources/list.ts";
import type { Source } from "../../src/sources/source.ts";
import { place, run, until } from "./outlet.ts";

const execute = promisify(execFile);
let folder: string;
let sources: Source[];
const at = (name: string) => join(folder, name);
const source = (begin: string) => {
  const found = sources.find(({ name }) => name.startsWith(begin));
  if (!found) throw new Error(`no source ${begin}`);
  return found;
};

/** Of a machine with no Xen, no systemd and no programs. */
const dom0: Dom0 = {
  ...realDom0,
  hostname: () => "dom0",
  kernel: () => "6.1.0",
  run: async (program) => {
    throw new Error(`there is no ${program}`);
  },
  readText: (path) => readFile(path, "utf8").catch(() => undefined),
  clearSocket: (path) => rm(path, { force: true }),
  diskSpace: async () => ({ freeBytes: 1, totalBytes: 2 }),
};

const choice = () =>
  SourceChoice.parse({
    guests: [
      {
        ...{ id: "work", addresses: ["127.0.0.1"], console: "work" },
        sockets: [at("stream"), at("datagram"), at("channel")],
      },
    ],
    udp: [{ host: "127.0.0.1", port: 0 }],
    tcp: [{ host: "127.0.0.1", port: 0 }],
    stream: [at("stream")],
    datagram: [at("datagram")],
    channels: [at("channel")],
    consoles: [{ folder: at("console"), pattern: "guest-*.log" }],
    eve: [at("eve.json")],
    ulogd: [at("drops.json")],
  });

/** As a guest's device model has it: it listens, and whoever joins hears what the guest writes. */
const deviceModel = createServer((socket) => {
  joined = socket;
});
let joined: Socket | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sources-"));
  await mkdir(at("console"));
  deviceModel.listen(at("channel"));
  await once(deviceModel, "listening");
  watch(folder, () => {}).close(); // the one inotify descriptor a process keeps for all its watches
  const spool = () => ({ records: 0, bytes: 0, bytesMax: 1 });
  sources = listSources(choice(), {
    dom0,
    receive: receiveDatagrams,
    receiveUdp,
    agentVersion: "0",
    stateFolder: "/",
    spool,
  });
});
afterAll(async () => {
  deviceModel.close();
  await rm(folder, { recursive: true });
});

/** How each is given one input, and what becomes of it. */
const cases: [name: string, feed: (place: string) => Promise<unknown>, kind: string, text: string][] = [
  ["health", async () => {}, "agent.health", "spool 0 records"],
  ["hypervisor", async () => {}, "hypervisor.layout", "no hypervisor below this machine"],
  ["syslog/udp", (place) => sendUdp(place, "<13>app: u"), "guest.log", "app: u"],
  ["syslog/tcp", (place) => sendStream({ port: portOf(place) }, "<13>app: t\n"), "guest.log", "app: t"],
  ["syslog/stream", (place) => sendStream({ path: place }, "<13>Nov 24 09:00:00 app: s\0"), "guest.log", "app: s"],
  ["syslog/datagram", (place) => execute("logger", ["-u", place, "-t", "app", "d"]), "guest.log", "app: d"],
  ["channel", () => sayOnChannel("<13>Nov 24 09:00:00 app: h\r\n"), "guest.log", "app: h"],
  ["console", () => writeFile(at("console/guest-work.log"), "c\n"), "guest.log", "c"],
  ["eve", () => appendFile(at("eve.json"), '{"event_type":"flow"}\n'), "ids.event", "flow"],
  ["ulogd", () => appendFile(at("drops.json"), '{"oob.in":"vif1.0"}\n'), "net.drop", "dropped in vif1.0"],
];

it("has a case for each source, and each its own name", () => {
  expect(
    sources
      .map(({ name }) =>
        name
          .split("/")
          .slice(0, name.startsWith("syslog") ? 2 : 1)
          .join("/"),
      )
      .sort(),
  ).toEqual(cases.map(([name]) => name).sort());
  expect(new Set(sources.map(({ name }) => name)).size).toBe(sources.length);
});

describe.each(cases)("%s", (name, feed, kind, text) => {
  it("does nothing until it runs, says where, keeps what comes, and lets go of everything when stopped", async () => {
    const before = await openFiles();
    const running = run(source(name));
    const states = running.kept.states;
    await until(() => states.length > 0, "it says its state");
    await feed(states[0]?.state === "running" && states[0].at !== undefined ? await place(running) : "");
    await until(() => running.kept.observations.length > 0, "an observation");
    expect(running.kept.observations[0]).toMatchObject({ kind, text: expect.stringContaining(text) });
    if (kind === "guest.log") expect(running.kept.observations[0]?.guest).toBe("work");
    await running.stop();
    await until(async () => (await openFiles()) <= before, "no file or socket stays open");
  });

  it("can be stopped before it began, and again while it waits, and run again", async () => {
    for (let time = 0; time < 3; time++) {
      const running = run(source(name));
      if (time > 0) await until(() => running.kept.states.length > 0, "it says its state");
      await running.stop();
    }
  });

  it("tells when the spool is gone, rather than go on alone", async () => {
    if (name === "console") return; // each file fails alone and is tried again
    const running = run(source(name));
    running.kept.outlet.emit = async () => {
      throw new Error("the spool is gone");
    };
    await until(() => running.kept.states.length > 0, "it says its state");
    await feed(
      running.kept.states[0]?.state === "running" ? ((running.kept.states[0] as { at?: string }).at ?? "") : "",
    );
    await expect(running.finished).rejects.toThrow("the spool is gone");
  });
});

const openFiles = async () => (await readdir("/proc/self/fd")).length;
const portOf = (place: string) => Number(place.split(":").at(-1));

async function sendUdp(place: string, text: string) {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send(text, portOf(place), "127.0.0.1", resolve));
  socket.close();
}

async function sayOnChannel(text: string) {
  await until(() => joined !== undefined && !joined.destroyed, "the channel is joined");
  joined?.write(text);
}

async function sendStream(to: { port: number } | { path: string }, text: string) {
  const socket = "path" in to ? connect(to.path) : connect(to.port, "127.0.0.1");
  socket.end(text);
  await once(socket, "close");
}
