/** One key of the console follows another, on an agent as a process of its own: receipts are believed under either while it
 *  was told of both, and under the old one no more when it was told of the new one alone. */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newSigner, hash as sha256 } from "../../../../packages/shared/test/keys.ts";
import { EMPTY_KEPT, findKept, Kept, writeKept } from "../../src/policy/kept.ts";
import { enrolMachine, eveLine, type Machine, runCli, stop, stopAll, until } from "./agent.ts";
import { type Console, startConsole } from "./console.ts";

const [next, stranger] = [newSigner(), newSigner()];
const PATIENCE_MS = 180_000;

let console: Console;
let machine: Machine;
let eve: string;
beforeAll(async () => {
  console = await startConsole();
  machine = await enrolMachine(console);
  eve = join(machine.state, "eve.json");
  writeFileSync(eve, "");
  machine.config({ eve: [eve] });
});
afterAll(async () => {
  stopAll();
  await console.stop();
});

const keys = (order: number, some: Signer[], by: Signer): SignedStatement =>
  signStatement(
    sha256,
    [by],
    { type: "keys", audience: { workstation: machine.workstation }, order, issued: new Date().toISOString() },
    { consoleKeys: some.map(({ publicKey }) => toBase64(publicKey)), cas: [] },
  );
const believes = () => console.reported.get(machine.workstation)?.signers?.keys;
const idOf = ({ publicKey }: Signer) => keyId(sha256, publicKey);
const waiting = async (): Promise<number> =>
  (JSON.parse((await runCli("status", "--state", machine.state, "--json")).stdout) as { spool: { records: number } })
    .spool.records;
let lines = 0;
/** A line of evidence reaches the console; whether its receipt is believed is seen in what the spool lets go. */
async function evidence(): Promise<void> {
  const before = console.records("ids.event").length;
  appendFileSync(eve, eveLine(++lines));
  await until("it is with the console", () => console.records("ids.event").length > before, machine, PATIENCE_MS);
}
const released = () => until("the spool is released", async () => (await waiting()) === 0, machine, PATIENCE_MS);

it("believes receipts under both keys, and then under the new one alone", async () => {
  const child = machine.start();
  await evidence();
  await released();

  const both = keys(1, [console.signer, next], console.signer);
  console.send(machine.workstation, [both]);
  await until("it reports both", () => believes()?.length === 2, machine, PATIENCE_MS);
  expect(believes()).toEqual([console.signer, next].map(idOf));
  console.receiptSigner = next;
  await evidence();
  await released();

  // somebody's key that it was never told of releases nothing
  console.receiptSigner = stranger;
  await evidence();
  expect(await waiting()).toBeGreaterThan(0);
  console.receiptSigner = console.signer;
  console.receipt(machine.workstation, console.newest.get(machine.workstation)!, "stand");
  await released();

  // away for the last step, and restarted: the statements come in order
  await stop(child);
  console.receiptSigner = next;
  console.send(machine.workstation, [both, keys(2, [next], next)]);
  machine.start();
  await until("it reports the new one alone", () => believes()?.join() === idOf(next), machine, PATIENCE_MS);
  await evidence();
  await released();
  console.receiptSigner = console.signer;
  await evidence();
  expect(await waiting()).toBeGreaterThan(0);
  console.receiptSigner = next;
  console.receipt(machine.workstation, console.newest.get(machine.workstation)!, "stand");
  await released();
  expect(console.records("policy.refused")).toEqual([]);
});

it("an enrolment anew leaves it neither the keys nor the exceptions of the one before", async () => {
  const { state, workstation } = await enrolMachine(console);
  const hex = "a".repeat(64);
  const signed = signStatement(
    sha256,
    [console.signer],
    {
      ...{ type: "exception", audience: { workstation }, order: 1, issued: new Date().toISOString() },
      notAfter: new Date(Date.now() + 3_600_000).toISOString(),
    },
    { workstation, descriptors: hex, device: "one", manifest: hex, reason: "looked at" },
  );
  const taken = new Date().toISOString();
  const consoleKeys = [toBase64(next.publicKey)];
  const orders = { "overlay/fleet": 7 };
  writeKept(state, Kept.parse({ ...EMPTY_KEPT, orders, consoleKeys, exceptions: [{ signed, taken }], revoked: [] }));
  const ran = await runCli(
    "enrol",
    console.token(),
    "--state",
    state,
    "--name",
    "test",
    "--again",
    "--other-approvers",
  );
  expect(ran.code, ran.stderr).toBe(0);
  expect(findKept(state)).toMatchObject({ isWritten: true, isCopied: true });
  expect(findKept(state).kept).toEqual({ ...EMPTY_KEPT, orders });
});
