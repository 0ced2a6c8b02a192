/** Names by a hosts file and real servers, some of which are silent. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail, ok } from "@sallyport/shared/base/result.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Names } from "../appliers/network-names.ts";
import { namesOf } from "./names.ts";

const QUESTION = 12;
const [A, AAAA] = [1, 28];
const NO_SUCH_NAME = 3;

/** Answers `…good.example` and `host.corp.example`, says of the rest that there is no such name, and to `…silent.example`
 *  says nothing. */
function answerTo(question: Buffer): Buffer | undefined {
  const labels: string[] = [];
  let at = QUESTION;
  for (let length = question[at]!; length > 0; length = question[at]!) {
    labels.push(question.subarray(at + 1, at + 1 + length).toString());
    at += 1 + length;
  }
  const name = labels.join(".").toLowerCase();
  if (name.endsWith("silent.example")) return undefined;
  const type = question.readUInt16BE(at + 1);
  const asked = question.subarray(QUESTION, at + 5);
  const isKnown = name.endsWith("good.example") || name === "host.corp.example";
  const address = type === A ? [192, 0, 2, 7] : type === AAAA ? [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 7] : [];
  const record = isKnown
    ? Buffer.from([0xc0, QUESTION, 0, type, 0, 1, 0, 0, 0, 60, 0, address.length, ...address])
    : Buffer.alloc(0);
  const head = Buffer.alloc(QUESTION);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | (isKnown ? 0 : NO_SUCH_NAME), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(isKnown ? 1 : 0, 6);
  return Buffer.concat([head, asked, record]);
}

function serve(answer: (question: Buffer) => Buffer | undefined): Promise<{ server: string; end: () => void }> {
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address }) => {
    const said = answer(question);
    if (said) socket.send(said, port, address);
  });
  return new Promise((resolve) => {
    socket.bind(0, "127.0.0.1", () =>
      resolve({ server: `127.0.0.1:${socket.address().port}`, end: () => socket.close() }),
    );
  });
}

let folder: string;
let speaks: Awaited<ReturnType<typeof serve>>;
let silent: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-names-"));
  writeFileSync(
    join(folder, "hosts"),
    "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.9\tFiles.example files # files.good.example\n",
  );
  writeFileSync(join(folder, "resolv.conf"), "domain other.example\nsearch corp.example\noptions timeout:1 ndots:1\n");
  [speaks, silent] = [await serve(answerTo), await serve(() => undefined)];
});
afterAll(() => {
  speaks?.end();
  silent?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});
const by = (...servers: string[]) =>
  namesOf({ hosts: join(folder, "hosts"), conf: join(folder, "resolv.conf"), servers });
const ADDRESSES = ok(["192.0.2.7", "2001:db8::7"]);

it("are those of the hosts file, whatever a server would say, then those of the servers", async () => {
  const resolve = by(speaks.server);
  expect(await resolve("localhost")).toEqual(ok(["127.0.0.1", "::1"]));
  expect(await resolve("files.EXAMPLE")).toEqual(ok(["10.0.0.9"]));
  expect(await resolve("files.good.example")).toEqual(ADDRESSES);
  expect(await resolve("192.0.2.1")).toEqual(ok(["192.0.2.1"]));
  expect(await resolve("host"), "by the search list").toEqual(ADDRESSES);
  expect(await resolve("none.example")).toEqual(ok([]));
});

it("are asked of the next server where the first is silent", async () => {
  expect(await by(silent.server, speaks.server)("good.example")).toEqual(ADDRESSES);
});

it("whose server is silent hold up neither the others nor who asks the C library, and each is asked once at a time", async () => {
  const asked = new Map<string, number>();
  let now = 0;
  const resolve = by(speaks.server);
  const names = new Names(
    (name) => {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      return resolve(name);
    },
    () => now,
  );
  const bad = Array.from({ length: 24 }, (_, at) => `n${at}.silent.example`);
  let hasEnded = false;
  const look = names.ask([...bad, "one.good.example", "localhost", "two.good.example"]);
  void look.then(() => {
    hasEnded = true;
  });
  await lookup("localhost");
  expect(await by(speaks.server)("good.example")).toEqual(ADDRESSES);
  expect(hasEnded, "both while the silent ones are waited for").toBe(false);
  await look;
  expect(names.known["two.good.example"]).toEqual({ addresses: ADDRESSES.value });
  expect(names.known["n7.silent.example"]).toEqual({
    addresses: [],
    failed: "n7.silent.example: no answer within 5 s",
  });
  now = 60_000;
  await Promise.all([names.ask([...bad, "one.good.example"]), names.ask([...bad, "one.good.example"])]);
  expect(new Set(bad.map((name) => asked.get(name)))).toEqual(new Set([2]));
}, 60_000);

it("with more silent servers than are asked at a time: those that answered before are asked first, and a look does not wait for all", async () => {
  let now = 0;
  const waiting: (() => void)[] = [];
  const order: string[] = [];
  const names = new Names(
    async (name) => {
      order.push(name);
      if (name.startsWith("bad")) await new Promise<void>((resolve) => waiting.push(resolve));
      return name.startsWith("bad") ? fail(`${name}: silent`) : ok(["192.0.2.1"]);
    },
    () => now,
    50,
  );
  const bad = Array.from({ length: 200 }, (_, at) => `bad${at}`);
  await names.ask([...bad, "good"]);
  expect(order).not.toContain("good");
  expect(names.known.good).toEqual({ addresses: [], failed: "good: no answer yet" });
  expect(order.length).toBe(128);
  while (waiting.length > 0) {
    for (const go of waiting.splice(0)) go();
    await new Promise(setImmediate);
  }
  now = 60_000;
  order.length = 0;
  await names.ask([...bad, "good"]);
  expect(order[0]).toBe("good");
  expect(names.known.good).toEqual({ addresses: ["192.0.2.1"] });
  for (const go of waiting.splice(0)) go();
});
