/** The uplink over a real spool, against a link that plays what networks do at their worst moment. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { decodeBatch } from "@sallyport/shared/wire/batch.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ed25519Signer } from "../../src/dom0/crypto.ts";
import type { Log } from "../../src/dom0/log.ts";
import { openSpool } from "../../src/spool/open.ts";
import { prepare } from "../../src/spool/prepare.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { Uplink } from "../../src/uplink/uplink.ts";

const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const session = "22222222-2222-4222-8222-222222222222" as SessionId;
const MIB = 1_048_576;
/** Far more than one try a turn; one that spins gets here in a moment and fails instead of hanging the run. */
const TRIES_MAX = 1_000;
const TURNS = 200;

const nothing = () => undefined;
const quiet: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

let state: string;
let spool: Spool;
let stopping: AbortController;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-uplink-"));
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const identity = { workstation, session, signer: ed25519Signer(pem), agentVersion: "0", hostname: "dom0" };
  spool = openSpool(state, identity, Date.now, 64 * MIB, () => undefined);
  stopping = new AbortController();
});
afterEach(() => {
  stopping.abort();
  spool.close();
  rmSync(state, { recursive: true, force: true });
});

it("lets the connection's end be heard when publishing fails at once: it does not spin on what cannot go out", async () => {
  let tries = 0;
  const { promise: firstTry, resolve: tried } = Promise.withResolvers<void>();
  const uplink = new Uplink({
    spool,
    session,
    workstation,
    // a socket that is gone while its "close" still waits for its turn
    publish: async () => {
      tried();
      if (++tries > TRIES_MAX) throw new Error(`${tries} tries, and no other turn between them`);
      return "not-connected";
    },
    askStand: () => undefined,
    consoleKeys: () => [],
    windowBatches: () => 8,
    lingerMs: () => 0,
    heard: () => undefined,
    tell: () => undefined,
    now: Date.now,
    log: quiet,
  });
  uplink.connected();
  const running = uplink.run(stopping.signal);
  await Promise.race([firstTry, running]);
  for (let turns = 0; turns < TURNS; turns++) await turn();
  uplink.disconnected();
  stopping.abort();
  await running;
  expect(tries).toBeGreaterThan(0);
  expect(uplink.state).toEqual({ state: "offline" });
});

it("lines too long for one batch wait for others once, not once for each batch", async () => {
  let isFirst = true;
  const message = "x".repeat(16_384);
  const line = { via: "tcp", from: "10.0.0.2", format: "plain", message } as const;
  const { promise: sent, resolve: allSent } = Promise.withResolvers<void>();
  const uplink = new Uplink({
    ...{ spool, session, workstation },
    publish: async (batch) => {
      const read = decodeBatch((packed, max) => zstdDecompressSync(packed, { maxOutputLength: max }), batch);
      if (read.ok && read.value.header.from + read.value.header.count === spool.size) allSent();
      return "sent";
    },
    askStand: () => undefined,
    consoleKeys: () => [],
    windowBatches: () => 64,
    lingerMs: () => {
      // what comes after the first batch would wait for an hour
      const lingerMs = isFirst ? 0 : 3_600_000;
      isFirst = false;
      return lingerMs;
    },
    ...{ heard: () => undefined, tell: () => undefined, now: Date.now, log: quiet },
  });
  const records = Array.from({ length: 200 }, (_, number) =>
    prepare({ kind: "guest.log", severity: "info", time: Date.now(), text: `${number}`, body: line }),
  );
  spool.append(records, []);
  uplink.connected();
  const running = uplink.run(stopping.signal);
  await sent;
  stopping.abort();
  uplink.disconnected();
  await running;
});
