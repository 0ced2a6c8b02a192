/** A detector that takes questions and answers none: the section says so in time, and no other section waits for it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Policy, SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { idsApplier } from "../../src/appliers/ids.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { socketOf, suricata } from "../../src/dom0/detector.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { type Appliers, Looks } from "../../src/reconcile/reconcile.ts";

let folder: string;
let close: () => void;
let onConnection: (socket: Socket) => void = () => {};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-silent-"));
  mkdirSync(dirname(socketOf(folder)), { recursive: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => void server.listen(socketOf(folder), resolve));
  close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
});
afterEach(() => {
  close();
  rmSync(folder, { recursive: true, force: true });
});

const detectorOf = (answerMsMax: number) =>
  suricata(realDom0, {
    folder,
    program: ["false"],
    user: { uid: process.getuid!(), gid: process.getgid!() },
    answerMsMax,
  });

it.each<[string, (socket: Socket) => void]>([
  ["that is silent", () => {}],
  [
    "that says something for ever and never ends it",
    (socket) => {
      const timer = setInterval(() => socket.write(" "), 10);
      socket.on("close", () => clearInterval(timer));
    },
  ],
])("is not waited for where it is one %s", async (_, behave) => {
  onConnection = behave;
  await expect(detectorOf(300).ask("version")).rejects.toThrow("no answer to version within 0.3 s");
});

it("holds up no other section, and its own says that it is blind", async () => {
  const told: string[] = [];
  const ids = idsApplier({
    detector: detectorOf(2_000),
    config: { interface: "xenbr0", folder, addresses: [], threads: 1 },
    artifact: async () => "",
    hash: sha256,
    monotonic: () => performance.now(),
    now: () => Date.now(),
    tell: ({ text }) => void told.push(text),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const other = (section: string) => ({
    ...{ section, inspect: async () => null, apply: async () => {} },
    judge: () => ({ outcome: "applied" as const }),
  });
  const appliers = {
    ...Object.fromEntries(SECTIONS.map((name) => [name, other(name)])),
    ids,
  } as unknown as Appliers;
  const ended = Promise.withResolvers<void>();
  const looks = new Looks(appliers, ended.resolve, 200);
  await looks.look(Policy.parse({}));
  expect(Object.entries(looks.outcomes).map(([name, { outcome, pending }]) => [name, outcome, pending])).toEqual(
    SECTIONS.map((name) => (name === "ids" ? [name, "not-applied", true] : [name, "applied", undefined])),
  );
  await ended.promise;
  expect(looks.outcomes.ids).toMatchObject({
    outcome: "failed",
    reason: expect.stringContaining("blind: the detector does not answer"),
  });
  expect(told).toEqual([expect.stringContaining("no answer to version within 2 s")]);
}, 60_000);
