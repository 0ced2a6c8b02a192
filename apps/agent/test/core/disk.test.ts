/** The guest's volume from its making to its end, with the agent as a process of its own: the recovery key reaches the
 *  console sealed and opens the volume for who holds the organisation's key; two persons wipe it, a stolen console does
 *  not. */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSigner, hash as sha256 } from "../../../../packages/shared/test/keys.ts";
import { missing } from "../gate/packages.ts";
import { enrolMachine, type Machine, membershipOf, runCli, stop, stopAll, until } from "./agent.ts";
import { type Console, startConsole } from "./console.ts";

const SALLYPORT = fileURLToPath(new URL("../../../../packages/cli/bin/sallyport.mjs", import.meta.url));
const [anna, ben] = [newSigner(), newSigner()];
/** A machine that boots others beside it is ten times slower. */
const PATIENCE_MS = 180_000;
const without = missing("cryptsetup", "wipefs");

describe.skipIf(without !== null)("a guest's volume", () => {
  let console: Console;
  let machine: Machine;
  const at = (name: string) => join(machine.state, name);
  beforeAll(async () => {
    console = await startConsole();
    machine = await enrolMachine(console);
    machine.config({ disk: { volume: at("guest.img"), headerCopies: [at("header.backup")] } });
  });
  afterAll(async () => {
    stopAll();
    await console.stop();
  });
  const cli = (...args: string[]) => spawnSync(process.execPath, [SALLYPORT, ...args], { encoding: "utf8" });
  const opens = (key: string) =>
    spawnSync("cryptsetup", ["open", "--test-passphrase", "--key-file", "-", at("guest.img")], { input: key })
      .status === 0;

  it("is made, reported, opened by the organisation's recovery key, and wiped by two", async () => {
    const { publicKey } = JSON.parse(cli("disk", "key", at("organisation.pem"), "--json").stdout);
    writeFileSync(at("pass"), "the pass phrase of the guest");
    const make = ["disk", "provision", "--state", machine.state, "--device", at("guest.img"), "--key-file", at("pass")];
    const none = await runCli(...make, "--size", "32", "--weak-stretch");
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("no organisation's key")]);
    const made = await runCli(...make, "--size", "32", "--weak-stretch", "--recovery-to", publicKey, "--json");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    const { volume } = JSON.parse(made.stdout) as { volume: string };
    const twice = await runCli(...make, "--weak-stretch", "--recovery-to", publicKey);
    expect([twice.code, twice.stderr]).toEqual([1, expect.stringContaining("carries a LUKS2 volume already")]);
    const shown = await runCli("disk", "show", at("guest.img"));
    expect([shown.stderr, shown.stdout]).toEqual(["", expect.stringContaining("LUKS2, aes-xts-plain64, 2 keys")]);
    expect(opens("the pass phrase of the guest")).toBe(true);
    spawnSync("cryptsetup", ["luksHeaderBackup", at("guest.img"), "--header-backup-file", at("header.backup")]);

    const child = machine.start();
    await until(
      "the recovery key is on the trail",
      () => console.records("disk.recovery").length === 1,
      machine,
      PATIENCE_MS,
    );
    await until("the state is on the trail", () => console.records("disk.state").length === 1, machine, PATIENCE_MS);
    const section = () => console.reported.get(machine.workstation)?.sections.disk;
    await until("the section is reported", () => section()?.outcome === "applied", machine, PATIENCE_MS);

    // all that the console has: it opens for the organisation, and for nobody without its key
    const body = console.records("disk.recovery")[0]!.content!.body;
    writeFileSync(at("record.json"), JSON.stringify(body));
    const unsealed = cli("disk", "unseal", at("record.json"), "--key", at("organisation.pem"));
    expect([unsealed.status, unsealed.stderr]).toEqual([0, ""]);
    expect(opens(unsealed.stdout.trim())).toBe(true);
    const all = console.records("disk.recovery").concat(console.records("disk.state"));
    expect(all.map(({ content }) => JSON.stringify(content)).join()).not.toContain(unsealed.stdout.trim());
    cli("disk", "key", at("another.pem"));
    expect(cli("disk", "unseal", at("record.json"), "--key", at("another.pem")).status).toBe(3);

    // it was used: another takes its place, and ends it when it is on the trail
    writeFileSync(at("used"), unsealed.stdout.trim());
    const renew = ["disk", "recovery", at("guest.img"), "--state", machine.state, "--key-file", at("used")];
    const renewed = await runCli(...renew, "--weak-stretch", "--recovery-to", publicKey, "--json");
    expect(renewed.code, renewed.stderr).toBe(0);
    expect(JSON.parse(renewed.stdout)).toMatchObject({ volume, slot: 2, ended: [1], left: [] });
    await until("the next is on the trail", () => console.records("disk.recovery").length === 2, machine, PATIENCE_MS);
    expect(opens(unsealed.stdout.trim())).toBe(false);
    writeFileSync(at("record.json"), JSON.stringify(console.records("disk.recovery")[1]!.content!.body));
    const next = cli("disk", "unseal", at("record.json"), "--key", at("organisation.pem")).stdout.trim();
    expect(opens(next)).toBe(true);

    const keys = [console.signer, anna, ben].map((signer, place) => ({
      id: keyId(sha256, signer.publicKey),
      publicKey: toBase64(signer.publicKey),
      role: place === 0 ? ("console" as const) : ("approver" as const),
    }));
    console.sendMembership(machine.workstation, keys, 2);
    const order = (by: Signer[], number: number) => {
      const id = randomUUID();
      const notAfter = new Date(Date.now() + 3_600_000).toISOString();
      const about = { type: "command" as const, audience: { workstation: machine.workstation } };
      const statement = signStatement(
        sha256,
        by,
        { ...about, order: number, issued: new Date().toISOString(), notAfter },
        { id, verb: "wipe", arguments: { volume }, notAfter },
      );
      console.sendCommand(machine.workstation, statement);
      return id;
    };
    const refusals = () => console.records("policy.refused");
    // the membership travels by another topic: until it is there the console alone would be enough
    await until("two must sign", () => membershipOf(machine) === 2, machine, PATIENCE_MS);
    order([console.signer], 1);
    await until("the console's own wipe is refused", () => refusals().length === 1, machine, PATIENCE_MS);
    expect(refusals()[0]?.content?.body).toMatchObject({ type: "command", code: "signatures" });
    expect(opens("the pass phrase of the guest")).toBe(true);

    const wipe = order([anna, ben], 2);
    const done = () => console.records("command.done").filter(({ content }) => content?.body.command === wipe);
    await until("the wipe is answered", () => done().length === 1, machine, PATIENCE_MS);
    expect(done()[0]?.content?.body).toMatchObject({ outcome: "done" });
    const wiped = console.records("disk.wiped")[0]?.content?.body as { before: string; after: string; whole: boolean };
    expect(wiped).toMatchObject({ whole: true, volume });
    expect(wiped.after).not.toBe(wiped.before);
    expect(opens("the pass phrase of the guest")).toBe(false);
    expect(opens(next)).toBe(false);
    expect(existsSync(at("header.backup"))).toBe(false);
    expect(readdirSync(machine.state).filter((name) => name.startsWith("recovery-"))).toEqual([]);
    expect(readFileSync(at("commands.json"), "utf8")).not.toContain("the pass phrase");
    expect(console.refusals).toEqual([]);
    await stop(child);
  }, 600_000);
});
