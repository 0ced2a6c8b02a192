/** A guest's channel over the guest's life: its device model's socket comes and goes. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { channel } from "../../src/sources/channel.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { run, until } from "./outlet.ts";

let folder: string;
let path: string;
let running: ReturnType<typeof run>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "channel-"));
  path = join(folder, "work.sock");
  const guests = guestMap([{ id: "work" as never, sockets: [path] }]);
  running = run(channel({ path, guests, now: () => Date.now(), retryMs: 10 }));
});
afterEach(async () => {
  await running.stop();
  await rm(folder, { recursive: true });
});

/** Listens until it is stopped; with what joined it first. */
async function deviceModel(): Promise<{ server: Server; joined: Promise<Socket>; stop: () => Promise<void> }> {
  const server = createServer();
  const joined = once(server, "connection").then(([socket]) => socket as Socket);
  server.listen(path);
  await once(server, "listening");
  const stop = async () => {
    (await joined).destroy();
    server.close();
    await once(server, "close");
  };
  return { server, joined, stop };
}

const texts = () => running.kept.observations.map(({ text }) => text);
const state = () => running.kept.states.at(-1)?.state;

it("says that it is absent while there is no guest, and is joined again each time the guest starts", async () => {
  await until(() => state() === "absent", "absent");
  for (const [at, word] of ["first", "second"].entries()) {
    const model = await deviceModel();
    (await model.joined).write(`${word}\n`);
    await until(() => texts().length > at, `the ${word} line`);
    expect(state()).toBe("running");
    await model.stop();
    await until(() => state() === "absent", "absent again");
  }
  expect(texts()).toEqual(["first", "second"]);
});

it("stamps the guest by the socket, keeps what the line claims as claims, and escapes what a terminal would obey", async () => {
  const model = await deviceModel();
  const line = "<38>1 2026-11-24T08:00:00Z otherguest sshd 4 - - in \u001b[2J\u202e";
  (await model.joined).write(`\r\n${line}\r\ntorn`);
  await until(() => texts().length > 0, "a line");
  await model.stop();
  await until(() => texts().length > 1, "what the guest did not end");
  const [first, rest] = running.kept.observations;
  expect(first).toMatchObject({
    guest: "work",
    body: { via: "channel", from: path, claimedHost: "otherguest", raw: line },
  });
  expect(first?.text).not.toMatch(/[\u001b\u202e]/);
  expect(rest).toMatchObject({ text: "torn", guest: "work" });
});

it("reads a guest that floods no faster than its lines are kept", async () => {
  const model = await deviceModel();
  let free = () => {};
  running.kept.hold.until = new Promise((resolve) => {
    free = resolve;
  });
  const guest = await model.joined;
  const chunk = Buffer.from("a line of sixteen\n".repeat(4096));
  let written = 0;
  while (written < 64 && guest.write(chunk)) written++;
  expect(guest.writableNeedDrain).toBe(true);
  const held = guest.writableLength;
  expect(held).toBeGreaterThan(0);
  free();
  await until(() => guest.writableLength === 0, "the guest may go on");
  expect(texts().length).toBeGreaterThan(0);
  await model.stop();
});
