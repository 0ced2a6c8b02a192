import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import { afterEach, describe, expect, it } from "vitest";
import { receiveUdp } from "../../src/dom0/udp.ts";
import { guestMap, whoseAddress } from "../../src/sources/guest.ts";
import { CONNECTIONS_PER_SENDER_MAX, CONNECTIONS_UNKNOWN_MAX } from "../../src/sources/syslog/connections.ts";
import { syslogTcp } from "../../src/sources/syslog/tcp.ts";
import { syslogUdp } from "../../src/sources/syslog/udp.ts";
import { keeper, place, type Running, run, until } from "./outlet.ts";

const work = [{ id: "work" as never, addresses: ["127.0.0.1"] }];
const guests = guestMap(work);
const whose = whoseAddress(work, [{ name: "vif-many", guest: "many" as never, addresses: ["127.0.1.0/24"] }]);
const address = { host: "127.0.0.1", port: 0 };
const options = { address, guests, whose, now: Date.now };
const udpOptions = { ...options, receive: receiveUdp };

let running: Running | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const portOf = async (source: Running) => Number((await place(source)).split(":").at(-1));
const bodies = ({ kept }: Running) => kept.observations.map((each) => each.body as GuestLog);
const messages = (source: Running) => bodies(source).map((body) => body.message);

async function sendUdp(port: number, lines: (string | Buffer)[]) {
  const socket = createSocket("udp4");
  for (const line of lines) await new Promise((resolve) => socket.send(line, port, "127.0.0.1", resolve));
  socket.close();
}

async function sendTcp(port: number, chunks: (string | Buffer)[]) {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  for (const chunk of chunks) if (!socket.write(chunk)) await once(socket, "drain");
  socket.end();
  await once(socket, "close");
}

describe("a connection of syslog over TCP", () => {
  /** Of the socket that the kernel has between these ports: which timer runs, and its end in hundredths of a second. */
  async function timer(local: number, remote: number): Promise<{ kind: number; left: number } | undefined> {
    const port = (of: string) => Number.parseInt(of.split(":")[1]!, 16);
    for (const row of (await readFile("/proc/net/tcp", "utf8")).trim().split("\n").slice(1)) {
      const [, here, there, , , pending] = row.trim().split(/\s+/) as [string, string, string, string, string, string];
      const [kind, left] = pending.split(":").map((each) => Number.parseInt(each, 16));
      if (port(here) === local && port(there) === remote) return { kind: kind!, left: left! };
    }
    return undefined;
  }
  const KEEPALIVE = 2;

  it("is asked after a minute of silence whether anybody is there", async () => {
    running = run(syslogTcp(options));
    const port = await portOf(running);
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const asked = async () => {
      const pending = await timer(port, socket.localPort!);
      return pending?.kind === KEEPALIVE && pending.left <= 60 * 100;
    };
    await until(asked, "the kernel asks within a minute");
    socket.destroy();
  });
});

describe("syslog over UDP", () => {
  it("keeps each datagram as one record under the guest of its address", async () => {
    running = run(syslogUdp(udpOptions));
    const port = await portOf(running);
    await sendUdp(port, [
      "<13>Nov 24 09:00:00 liar app[1]: one",
      "<13>1 - - - - - - two\nlines\n",
      Buffer.from([0xff, 0]),
    ]);
    await until(() => running!.kept.observations.length === 3, "three records");
    expect(messages(running)).toEqual(["one", "two\nlines", "\ufffd"]);
    expect(running.kept.observations.every((each) => each.guest === "work" && each.kind === "guest.log")).toBe(true);
    expect(bodies(running)[0]).toMatchObject({ via: "udp", from: "127.0.0.1", claimedHost: "liar" });
  });

  it("counts what a flood loses, so that kept and lost are all that came in", async () => {
    const kept = keeper();
    let release = () => {};
    kept.hold.until = new Promise((resolve) => {
      release = resolve;
    });
    running = run(syslogUdp(udpOptions), kept);
    const port = await portOf(running);
    const line = Buffer.from(`<13>${"x".repeat(8000)}`);
    let sent = 0;
    for (; sent < 4000; sent += 50) {
      await sendUdp(port, Array(50).fill(line));
      await new Promise((resolve) => setImmediate(resolve));
    }
    release();
    await running.stop();
    const told = kept.observations.filter((each) => each.kind === "guest.suppressed");
    expect(told.every(({ guest }) => guest === "work")).toBe(true);
    const lost = told.map((each) => each.body.lines);
    expect(lost.length).toBeGreaterThan(0);
    const lines = kept.observations.filter((each) => each.kind === "guest.log").length;
    expect(lines + lost.reduce((a, b) => a + b, 0)).toBe(sent);
    running = undefined;
  });

  it("has a buffer for each known guest over IPv4 and IPv6: what one loses is counted as its own", async () => {
    const known = guestMap([
      { id: "six" as never, addresses: ["::1"] },
      { id: "four" as never, addresses: ["127.0.0.2", "fd00::4"] },
    ]);
    const kept = keeper();
    let release = () => {};
    kept.hold.until = new Promise((resolve) => {
      release = resolve;
    });
    running = run(syslogUdp({ ...udpOptions, address: { host: "::", port: 0 }, guests: known }), kept);
    const port = await portOf(running);
    const line = Buffer.from(`<13>${"x".repeat(8000)}`);
    const sent: Record<string, number> = {};
    const flood = async (who: string, from: string, to: string, lines: number) => {
      const socket = createSocket(from.includes(":") ? "udp6" : "udp4").bind(0, from);
      await once(socket, "listening");
      for (let at = 0; at < lines; at++) await new Promise((resolve) => socket.send(line, port, to, resolve));
      socket.close();
      sent[who] = lines;
    };
    await Promise.all([
      flood("six", "::1", "::1", 1500),
      flood("four", "127.0.0.2", "127.0.0.1", 1500),
      flood("unknown", "127.0.0.9", "127.0.0.1", 1500),
    ]);
    // one of few words in a buffer that nobody fills
    await flood("few", "127.0.0.10", "127.0.0.1", 1);
    delete sent.few;
    release();
    await running.stop();
    running = undefined;
    const found: Record<string, number> = {};
    const lost: Record<string, number> = {};
    for (const { kind, guest, body } of kept.observations) {
      const from = (body as GuestLog).from;
      const who = guest === "six" || guest === "four" ? guest : from === "127.0.0.10" ? "few" : "unknown";
      const lines = kind === "guest.suppressed" ? body.lines : 1;
      found[who] = (found[who] ?? 0) + lines;
      if (kind === "guest.suppressed") lost[who] = (lost[who] ?? 0) + lines;
    }
    expect(found).toEqual({ ...sent, few: 1 });
    expect(Object.keys(lost).sort()).toEqual(["four", "six", "unknown"]);
  });

  it("is read at another pace as soon as policy names one", async () => {
    const pace = { perSecond: 1, burst: 1 };
    const stop = new AbortController();
    let port = 0;
    let read = 0;
    const receiving = receiveUdp({
      ...{ address, senders: [["127.0.0.1"]], pace: () => pace, signal: stop.signal },
      bound: (at) => {
        port = at.port;
      },
      datagrams: async (batch) => {
        read += batch.length;
      },
      dropped: () => {},
    });
    try {
      await until(() => port > 0, "the receiver listens");
      await sendUdp(port, Array(200).fill("<13>one of many"));
      await until(() => read > 0, "the first is read");
      expect(read).toBeLessThan(100);
      Object.assign(pace, { perSecond: 10_000, burst: 10_000 });
      await until(() => read === 200, "the others are read at the new pace");
    } finally {
      stop.abort();
      await receiving;
    }
  });

  it("says where an address cannot be had", async () => {
    running = run(syslogUdp(udpOptions));
    const port = await portOf(running);
    await expect(run(syslogUdp({ ...udpOptions, address: { host: "127.0.0.1", port } })).finished).rejects.toThrow(
      `no datagrams at 127.0.0.1:${port}: Address already in use`,
    );
    await expect(run(syslogTcp({ ...options, address: { host: "192.0.2.1", port } })).finished).rejects.toThrow(
      "EADDRNOTAVAIL",
    );
  });
});

describe("syslog over TCP", () => {
  it("reads both framings, each connection in its own", async () => {
    running = run(syslogTcp(options));
    const port = await portOf(running);
    await Promise.all([
      sendTcp(port, ["<13>line one\n<13>li", "ne two\n<13>no end"]),
      sendTcp(port, ["10 <13>a: b", "\nc8 <13>a: d"]),
    ]);
    await until(() => running!.kept.observations.length === 5, "five records");
    expect(messages(running).sort()).toEqual(["b\nc", "d", "line one", "line two", "no end"].sort());
  });

  it("keeps every line of a fast sender in order while the spool is slow", async () => {
    const kept = keeper();
    running = run(syslogTcp(options), kept);
    const port = await portOf(running);
    let release = () => {};
    kept.hold.until = new Promise((resolve) => {
      release = resolve;
    });
    const lines = Array.from(
      { length: 50_000 },
      (_, at) => `<13>Nov 24 09:00:00 h app: line ${at} ${"x".repeat(at % 200)}\n`,
    );
    const sent = sendTcp(port, [lines.slice(0, 25_000).join(""), lines.slice(25_000).join("")]);
    release();
    await sent;
    await until(() => kept.observations.length >= lines.length, "all lines");
    expect(bodies(running).map((body) => `${body.raw}\n`)).toEqual(lines);
  });

  it("serves many connections with half frames open, and counts what one sender opens beyond its share", async () => {
    running = run(syslogTcp(options));
    const port = await portOf(running);
    const sockets = [];
    for (let at = 0; at < CONNECTIONS_PER_SENDER_MAX + 3; at++) {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      await once(socket, "connect");
      socket.write(`40 <13>half of ${at}`);
      sockets.push(socket);
    }
    for (const socket of sockets) socket.end();
    const halves = () =>
      running!.kept.observations.filter((each) => each.text.startsWith("[the connection ended in a frame of 40 bytes"))
        .length;
    await until(() => halves() === CONNECTIONS_PER_SENDER_MAX, "each half frame kept");
    await running.stop();
    const refused = running.kept.observations.filter((each) => each.kind === "guest.suppressed");
    expect(refused.map((each) => each.body)).toMatchObject([
      { lines: 3, reason: "too-many-senders", from: "127.0.0.1" },
    ]);
  });

  it("counts a guest's addresses as one sender, and all unknown ones together leave room for the others", async () => {
    running = run(syslogTcp(options));
    const port = await portOf(running);
    const sockets: Socket[] = [];
    const say = async (localAddress: string) => {
      const socket = connect({ port, host: "127.0.0.1", localAddress }).on("error", () => {});
      await once(socket, "connect");
      socket.write(`<13>from ${localAddress}\n`);
      sockets.push(socket);
    };
    for (let at = 1; at <= 40; at++) await say(`127.0.1.${at}`);
    for (let at = 1; at <= 90; at++) await say(`127.0.2.${at}`);
    await say("127.0.0.1");
    const heard = (begin: string) => messages(running!).filter((each) => each?.startsWith(`from ${begin}`)).length;
    await until(() => heard("127.0.0.1") === 1, "the guest that says little is heard");
    await until(() => heard("127.0.2.") === CONNECTIONS_UNKNOWN_MAX, "some of those nobody knows are heard");
    expect(heard("127.0.1.")).toBe(CONNECTIONS_PER_SENDER_MAX);
    for (const socket of sockets) socket.destroy();
    await running.stop();
    const refused = running.kept.observations.flatMap((each) => (each.kind === "guest.suppressed" ? [each.body] : []));
    const lost = (begin: string) => refused.filter(({ from }) => from.startsWith(begin)).length;
    expect([lost("127.0.1."), lost("127.0.2.")]).toEqual([
      40 - CONNECTIONS_PER_SENDER_MAX,
      90 - CONNECTIONS_UNKNOWN_MAX,
    ]);
  });

  it("keeps what came when it is stopped in the middle, and lets go of its port", async () => {
    running = run(syslogTcp(options));
    const port = await portOf(running);
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    socket.write("<13>whole\n<13>half");
    await until(() => running!.kept.observations.length === 1, "the first line");
    await running.stop();
    expect(messages(running)).toEqual(["whole", "half"]);
    const again = run(syslogTcp({ ...options, address: { host: "127.0.0.1", port } }));
    await place(again);
    await again.stop();
  });
});
