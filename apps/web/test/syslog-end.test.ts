/** Syslog confirms nothing: what counts as arrived is how a receiver ends the connection. Receivers that end it wrongly, and
 *  Debian's rsyslog under both its drivers of TLS. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../../../packages/up/src/ports.ts";
import { reachable } from "../src/destination/address.ts";
import type { Target } from "../src/destination/destination.ts";
import { type Message, messageOf } from "../src/destination/message.ts";
import { send } from "../src/destination/send.ts";
import { syslogText } from "../src/destination/syslog.ts";
import { ensureKeys } from "./up.ts";

const HOST = "console.example.org";
const RSYSLOGD = "/usr/sbin/rsyslogd";
const MODULES = ["/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog"];
const isThere = (driver: string) =>
  existsSync(RSYSLOGD) && MODULES.some((at) => existsSync(`${at}/lmnsd_${driver}.so`));

const folder = mkdtempSync(join(tmpdir(), "sallyport-syslog-"));
const key = (name: string) => join(folder, "keys", name);
const ends: (() => Promise<void>)[] = [];

beforeAll(() => ensureKeys(folder));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const message = (title: string, reason = "infected"): Message => {
  const now = new Date();
  const said = { kind: "usb.scan", key: "scan/1", severity: 4, title, reason, count: 1, raisedAt: now, lastAt: now };
  return messageOf(randomUUID(), { id: "7", ...said, workstation: null, record: null }, `https://${HOST}`);
};

function sent(port: number, transport: "tls" | "tcp", messages: readonly Message[]) {
  const target = { kind: "syslog", host: "127.0.0.1", port, transport } as const;
  const tls = { ...target, ca: readFileSync(key("ca.crt"), "utf8").trim() };
  const deps = { may: reachable("127.0.0.0/8"), host: HOST };
  const to: Target = transport === "tls" ? tls : target;
  return send(deps, to, messages, new AbortController().signal, new Agent());
}

/** What each connection is given to, however it treats it. */
async function receiver(transport: "tls" | "tcp", take: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const each = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    take(socket);
  };
  const certified = () => ({ key: readFileSync(key("listener.key")), cert: readFileSync(key("listener.crt")) });
  const server: Server = transport === "tls" ? createTls(certified(), each) : createServer(each);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const MANY = Array.from({ length: 100 }, (_, at) => message(`alert ${at}`, "x".repeat(1_000)));

describe.each(["tcp", "tls"] as const)("over %s", (transport) => {
  test("a receiver that ends the connection before it is told that this was all has taken nothing", async () => {
    const port = await receiver(transport, (socket) => socket.end());
    expect(await sent(port, transport, MANY.slice(0, 1))).toMatchObject({ ok: false });
    expect(await sent(port, transport, MANY)).toMatchObject({ ok: false });
  });

  test("a receiver that is gone with what it was sent unread has taken nothing", async () => {
    const port = await receiver(transport, (socket) => {
      socket.pause();
      setImmediate(() => socket.destroy());
    });
    expect(await sent(port, transport, MANY)).toMatchObject({ ok: false });
  });

  test("a receiver that ends the connection after half of it has taken nothing", async () => {
    let bytes = 0;
    const port = await receiver(transport, (socket) =>
      socket.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 40_000) socket.destroySoon();
      }),
    );
    expect(await sent(port, transport, MANY)).toMatchObject({ ok: false });
  });

  test("a receiver that reads slowly, and ends it after it has read all, has taken all", async () => {
    let read = "";
    const port = await receiver(transport, (socket) =>
      socket.on("data", (chunk: Buffer) => {
        read += chunk.toString();
        socket.pause();
        setTimeout(() => socket.resume(), 5);
      }),
    );
    expect(await sent(port, transport, MANY)).toEqual({ ok: true });
    expect(read.match(/\ufeffalert \d+: x{1000}/g)).toHaveLength(100);
  });
});

describe.each(["gtls", "ossl"])("rsyslog with its %s driver", (driver) => {
  const absent = !isThere(driver);

  test.skipIf(absent)(
    "keeps each message of a burst once, in order, as it was sent, whatever was said in it",
    async () => {
      const { port, lines } = await rsyslog(driver, 'StreamDriver.AuthMode="anon"');
      const hostile = `\n<0>1 - forged\r\n${"\u0000\u001b\ufeff"}12 <13>1 - - - - - - x ${"\u{1f600}".repeat(1_500)}`;
      const messages = [...MANY.slice(0, 50), message(hostile, hostile), ...MANY.slice(50)];
      expect(await sent(port, "tls", messages)).toEqual({ ok: true });
      await vi.waitFor(() => expect(lines()).toHaveLength(messages.length), { timeout: 20_000, interval: 50 });
      expect(lines()).toEqual(messages.map((each) => syslogText(each, HOST)));
    },
  );

  test.skipIf(absent)("that wants a certificate of the console has taken nothing", async () => {
    const named = 'StreamDriver.AuthMode="x509/name" PermittedPeer="relay.example.org"';
    const { port, lines } = await rsyslog(driver, named);
    for (let at = 0; at < 3; at++) expect(await sent(port, "tls", MANY.slice(0, 3))).toMatchObject({ ok: false });
    expect(lines()).toEqual([]);
  });
});

async function rsyslog(driver: string, peers: string): Promise<{ port: number; lines: () => string[] }> {
  const own = mkdtempSync(join(folder, "rsyslog-"));
  const port = await freePort();
  const log = join(own, "log");
  const files = `DefaultNetstreamDriverCAFile="${key("ca.crt")}" DefaultNetstreamDriverCertFile="${key("listener.crt")}" DefaultNetstreamDriverKeyFile="${key("listener.key")}"`;
  writeFileSync(
    join(own, "conf"),
    `global(workDirectory="${own}" DefaultNetstreamDriver="${driver}" ${files} parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" StreamDriver.Name="${driver}" StreamDriver.Mode="1" ${peers})
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="raw" type="string" string="%rawmsg%\\n")
action(type="omfile" file="${log}" template="raw")
`,
  );
  const child = spawn(RSYSLOGD, ["-n", "-f", join(own, "conf"), "-i", join(own, "pid")], { stdio: "ignore" });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  ends.push(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  await vi.waitFor(() => reached(child, port), { timeout: 20_000, interval: 100 });
  const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []);
  return { port, lines };
}

async function reached(child: ChildProcess, port: number): Promise<void> {
  expect(child.exitCode).toBeNull();
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
  });
}
