/** Orders from a console to an agent as a process of its own: believed, carried out once over kill -9, answered on its
 *  trail; and what a stolen console cannot do with its key alone. */
import { randomUUID } from "node:crypto";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newSigner, hash as sha256 } from "../../../../packages/shared/test/keys.ts";
import { enrolMachine, type Machine, membershipOf, stop, stopAll, until } from "./agent.ts";
import { type Console, startConsole } from "./console.ts";

const [anna, ben] = [newSigner(), newSigner()];

/** A machine that boots others beside it is ten times slower. */
const PATIENCE_MS = 180_000;

let console: Console;
let machine: Machine;
beforeAll(async () => {
  console = await startConsole();
  machine = await enrolMachine(console);
  // from here on two of three must sign
  console.sendMembership(
    machine.workstation,
    [console.signer, anna, ben].map((signer, at) => ({
      id: keyId(sha256, signer.publicKey),
      publicKey: toBase64(signer.publicKey),
      role: at === 0 ? ("console" as const) : ("approver" as const),
    })),
    2,
  );
});
afterAll(async () => {
  stopAll();
  await console.stop();
});

let order = 0;
type More = { by?: Signer[]; audience?: object; notAfter?: string; order?: number; issued?: string };
function command(verb: Verb, args: object, more: More = {}): { id: string; statement: SignedStatement } {
  const now = Date.now();
  const id = randomUUID();
  const notAfter = more.notAfter ?? new Date(now + 3_600_000).toISOString();
  const issued = more.issued ?? new Date(Math.min(now, Date.parse(notAfter) - 1_000)).toISOString();
  const statement = signStatement(
    sha256,
    more.by ?? [console.signer],
    {
      type: "command",
      audience: (more.audience ?? { workstation: machine.workstation }) as never,
      order: more.order ?? ++order,
      issued,
      notAfter,
    },
    { id, verb, arguments: args, notAfter },
  );
  return { id, statement };
}
const send = (statement: SignedStatement) => console.sendCommand(machine.workstation, statement);
const of = (kind: string, id: string) => console.records(kind).filter(({ content }) => content?.body.command === id);
const refused = (statement: SignedStatement) =>
  console.records("policy.refused").filter(({ content }) => content?.body.digest === JSON.parse(statement.text).digest);

it("a stolen console can look and cut, and cannot wipe, let go, or order with what was signed before", async () => {
  const child = machine.start();
  await until("two must sign", () => membershipOf(machine) === 2, machine, PATIENCE_MS);

  const diagnostics = command("diagnostics", {});
  send(diagnostics.statement);
  await until(
    "the bundle is on the trail",
    () => of("command.diagnostics", diagnostics.id).length === 1,
    machine,
    PATIENCE_MS,
  );
  await until("its end is on the trail", () => of("command.done", diagnostics.id).length === 1, machine, PATIENCE_MS);
  expect(of("command.received", diagnostics.id)).toHaveLength(1);
  const parts = of("command.diagnostics", diagnostics.id)[0]!.content!.body.parts as { name: string; text?: string }[];
  expect(parts.find(({ name }) => name === "versions")?.text).toContain("node v24");

  const isolation = command("isolate", { until: new Date(Date.now() + 3_600_000).toISOString() });
  send(isolation.statement);
  await until("the answer is on the trail", () => of("command.done", isolation.id).length === 1, machine, PATIENCE_MS);
  // this machine has no firewall: said, not claimed
  expect(of("command.done", isolation.id)[0]?.content?.body).toMatchObject({ outcome: "failed", verb: "isolate" });

  const volume = "01234567-89ab-cdef-0123-456789abcdef";
  const wipe = command("wipe", { volume });
  send(wipe.statement);
  await until("the wipe is refused", () => refused(wipe.statement).length === 1, machine, PATIENCE_MS);
  expect(refused(wipe.statement)[0]?.content?.body).toMatchObject({
    code: "signatures",
    reason: "1 of the 2 signatures it needs are by keys of this group",
  });

  const release = command("release", {});
  send(release.statement);
  await until("the release is refused", () => refused(release.statement).length === 1, machine, PATIENCE_MS);
  const start = command("start-guest", { guest: "work" });
  send(start.statement);
  await until("the start is refused", () => refused(start.statement).length === 1, machine, PATIENCE_MS);
  expect(refused(start.statement)[0]?.content?.body).toMatchObject({ code: "signatures" });

  // what two signed is carried out, and what was signed before it is not taken again
  const old = command("pause", { guest: "work" }, { by: [anna, ben] });
  const newer = command("wipe", { volume }, { by: [anna, ben] });
  send(newer.statement);
  await until("it is answered", () => of("command.done", newer.id).length === 1, machine, PATIENCE_MS);
  expect(of("command.done", newer.id)[0]?.content?.body).toMatchObject({ outcome: "failed" });
  send(old.statement);
  await until("the old order is refused", () => refused(old.statement).length === 1, machine, PATIENCE_MS);
  expect(refused(old.statement)[0]?.content?.body).toMatchObject({ code: "old-order" });

  const late = command("rescan", {}, { notAfter: new Date(Date.now() - 1_000).toISOString() });
  send(late.statement);
  await until("the late order is refused", () => refused(late.statement).length === 1, machine, PATIENCE_MS);
  expect(refused(late.statement)[0]?.content?.body).toMatchObject({ code: "expired" });

  const others = [
    command("diagnostics", {}, { audience: { workstation: randomUUID() } }),
    command("diagnostics", {}, { audience: { group: randomUUID() } }),
    command("diagnostics", {}, { audience: { fleet: true } }),
  ];
  for (const { statement } of others) send(statement);
  await until(
    "each is refused",
    () => others.every(({ statement }) => refused(statement).length === 1),
    machine,
    PATIENCE_MS,
  );
  for (const { statement } of others) expect(refused(statement)[0]?.content?.body).toMatchObject({ code: "audience" });

  // the console sends until it is answered: each once, also after that
  for (const { statement } of [diagnostics, isolation, newer]) send(statement);
  const last = command("rescan", {});
  send(last.statement);
  await until("the last is answered", () => of("command.done", last.id).length === 1, machine, PATIENCE_MS);
  for (const { id } of [diagnostics, isolation, newer]) {
    expect(of("command.received", id)).toHaveLength(1);
    expect(of("command.done", id)).toHaveLength(1);
  }
  expect(of("command.diagnostics", diagnostics.id)).toHaveLength(1);
  expect(console.refusals).toEqual([]);
  await stop(child);
}, 600_000);

it("kill -9 at any moment loses no order and answers each once", async () => {
  const orders: { id: string; statement: SignedStatement }[] = [];
  let child = machine.start();
  for (let round = 0; round < 3; round++) {
    const heard = command("rescan", {});
    const next = command("diagnostics", {});
    orders.push(heard, next);
    const resend = setInterval(() => {
      for (const { id, statement } of orders) if (of("command.received", id).length === 0) send(statement);
    }, 200);
    try {
      const first = round % 2 === 0 ? heard : next;
      await until("one is received", () => of("command.received", first.id).length === 1, machine, PATIENCE_MS);
      await stop(child, "SIGKILL");
      child = machine.start();
      await until(
        "both are answered",
        () => [heard, next].every(({ id }) => of("command.done", id).length === 1),
        machine,
        PATIENCE_MS,
      );
    } finally {
      clearInterval(resend);
    }
  }
  for (const { id } of orders) {
    expect(of("command.received", id)).toHaveLength(1);
    expect(of("command.done", id)).toHaveLength(1);
    expect(of("command.done", id)[0]?.content?.body).toMatchObject({ outcome: "done" });
  }
  expect(console.refusals).toEqual([]);
  await stop(child);
}, 600_000);

it("a stolen console locks nobody out: neither by the highest order, nor by a time that has not come", async () => {
  const child = machine.start();
  const { workstation } = machine;
  await until("two must sign", () => membershipOf(machine) === 2, machine, PATIENCE_MS);
  // receipts of 2999, validly signed
  const trail = console.newest.get(workstation)!;
  console.clock = () => new Date("2999-01-01T00:00:00.000Z");
  console.receipt(workstation, trail, "stand");
  const ahead = () => console.records("policy.refused").filter(({ content }) => content?.body.type === "receipt");
  await until("it is told", () => ahead().length === 1, machine, PATIENCE_MS);
  expect(ahead()[0]?.content?.text).toMatch(/^The console's time is not believed: a receipt of 2999-/);

  const highest = command("diagnostics", {}, { order: 2 ** 53 - 1 });
  const ages = { issued: "2999-01-01T00:00:00.000Z", notAfter: "2999-01-01T01:00:00.000Z" };
  const future = command("isolate", { until: ages.notAfter }, ages);
  const most = command("diagnostics", {}, { order: Math.floor(Date.now() / 1000) + 8 * 86_400 - 60 });
  for (const { statement } of [highest, future, most]) send(statement);
  await until(
    "two are refused",
    () => [highest, future].every((each) => refused(each.statement).length === 1),
    machine,
    PATIENCE_MS,
  );
  for (const { statement } of [highest, future])
    expect(refused(statement)[0]?.content?.body).toMatchObject({ code: "ahead" });
  await until("the third is answered", () => of("command.done", most.id).length === 1, machine, PATIENCE_MS);

  // and people are still heard, by orders far below it, for a minute
  const inAMinute = new Date(Date.now() + 60_000).toISOString();
  const volume = "01234567-89ab-cdef-0123-456789abcdef";
  const wipe = command("wipe", { volume }, { by: [console.signer, anna], notAfter: inAMinute });
  send(wipe.statement);
  await until("it is received", () => of("command.received", wipe.id).length === 1, machine, PATIENCE_MS);
  await until("it is answered", () => of("command.done", wipe.id).length === 1, machine, PATIENCE_MS);
  console.clock = () => new Date();
  expect(refused(wipe.statement)).toEqual([]);
  await stop(child);
}, 600_000);
