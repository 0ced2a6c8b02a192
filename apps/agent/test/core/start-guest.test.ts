/** A guest that is ended and started again by orders, with the agent as a process of its own on a machine whose xl and
 *  systemd are stand-ins: one guest, which runs where a file says so. */
import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { signStatement } from "@sallyport/shared/policy/statement.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hash as sha256 } from "../../../../packages/shared/test/keys.ts";
import { enrolMachine, type Machine, stop, stopAll, until } from "./agent.ts";
import { type Console, startConsole } from "./console.ts";

/** A machine that boots others beside it is ten times slower. */
const PATIENCE_MS = 180_000;
/** Root's own on every machine, as a guest's configuration file has to be. */
const FILE = "/etc/passwd";
const XL = `
case "$*" in
list) printf 'Name ID Mem VCPUs State Time(s)\\nDomain-0 0 512 1 r----- 9.0\\n'
	if [ -e "$at/runs" ]; then printf 'win11 %s 512 1 -b---- 0.1\\n' "$(cat "$at/runs")"; fi
	if [ -e "$at/building" ]; then printf 'win11 9 512 1 --p--- 0.0\\n'; fi ;;
"-N create -q -f ${FILE}") echo '{"c_info":{"type":"pvh","name":"win11"}}' ;;
"destroy "*) rm "$at/runs" ;;
*) exit 1 ;;
esac`;
const SYSTEMCTL = `
case "$1" in
show) if [ -e "$at/building" ]; then echo activating; else echo inactive; fi; exit ;;
restart) echo "$*" >> "$at/asked"; touch "$at/building"
	while [ -e "$at/hold" ]; do sleep 0.05; done
	echo 9 > "$at/runs"; rm "$at/building" ;;
start) echo "$*" >> "$at/asked"; while [ -e "$at/building" ]; do sleep 0.05; done ;;
*) exit 1 ;;
esac`;

let console: Console;
let machine: Machine;
let folder: string;
const at = (name: string) => join(folder, name);
const configured = (xlConfig?: string) =>
  machine.config({ guests: [{ id: "work", console: "win11", ...(xlConfig !== undefined && { xlConfig }) }] });
const start = () => machine.start({ PATH: `${folder}:${process.env.PATH}` });
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-stand-ins-"));
  for (const [name, does] of Object.entries({ xl: XL, systemctl: SYSTEMCTL })) {
    writeFileSync(at(name), `#!/bin/sh\nat=${folder}\n${does}\n`);
    chmodSync(at(name), 0o755);
  }
  console = await startConsole();
  machine = await enrolMachine(console);
});
afterAll(async () => {
  stopAll();
  await console.stop();
  rmSync(folder, { recursive: true, force: true });
});

const of = (kind: string, id: string) => console.records(kind).filter(({ content }) => content?.body.command === id);
let order = 0;
/** Sent until it is received, as the console does: an agent that has just been started is not connected yet. */
async function tell(verb: Verb): Promise<string> {
  const id = randomUUID();
  const [issued, notAfter] = [0, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString());
  const { workstation } = machine;
  const about = { type: "command", audience: { workstation }, order: ++order, issued, notAfter };
  const load = { id, verb, arguments: { guest: "work" }, notAfter };
  const statement = signStatement(sha256, [console.signer], about as never, load as never);
  const send = () => console.sendCommand(workstation, statement);
  send();
  const again = setInterval(send, 200);
  try {
    await until("it is received", () => of("command.received", id).length > 0, machine, PATIENCE_MS);
  } finally {
    clearInterval(again);
  }
  return id;
}
async function ended(id: string): Promise<{ outcome: string; reason: string }> {
  await until("it is answered", () => of("command.done", id).length === 1, machine, PATIENCE_MS);
  return of("command.done", id)[0]!.content!.body as { outcome: string; reason: string };
}

it("a guest that was ended is started from the file that the machine names, and from none that others can write", async () => {
  writeFileSync(at("runs"), "7");
  configured();
  let child = start();
  expect(await ended(await tell("destroy-guest"))).toMatchObject({
    outcome: "done",
    reason: "win11 (domain 7) was ended",
  });
  const unnamed = await ended(await tell("start-guest"));
  expect(unnamed.outcome).toBe("failed");
  expect(unnamed.reason).toMatch(/^win11 does not run, .* write "xlConfig": .* into the entry of work under guests/);
  await stop(child);

  // in a folder that anybody may write
  configured(at("win11.cfg"));
  writeFileSync(at("win11.cfg"), 'name = "win11"\n', { mode: 0o600 });
  child = start();
  const loose = await ended(await tell("start-guest"));
  expect(loose).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/^win11 is not started: \//) });
  expect(existsSync(at("asked"))).toBe(false);
  await stop(child);

  configured(FILE);
  child = start();
  expect(await ended(await tell("start-guest"))).toMatchObject({
    outcome: "done",
    reason: "win11 (domain 9) was started",
  });
  expect(await ended(await tell("start-guest"))).toMatchObject({
    outcome: "done",
    reason: "win11 (domain 9) runs already",
  });
  expect(readFileSync(at("asked"), "utf8")).toBe("restart sallyport-guest@etc-passwd.service\n");
  await stop(child);
}, 600_000);

it("kill -9 while it is being built: the next agent waits for it, and answers once", async () => {
  rmSync(at("runs"), { force: true });
  rmSync(at("asked"), { force: true });
  writeFileSync(at("hold"), "");
  configured(FILE);
  let child = start();
  const id = await tell("start-guest");
  await until("it is being built", () => existsSync(at("building")), machine, PATIENCE_MS);
  await stop(child, "SIGKILL");
  child = start();
  const asked = () => readFileSync(at("asked"), "utf8");
  await until("the next one waits for it", () => asked().includes("\nstart "), machine, PATIENCE_MS);
  expect(of("command.done", id)).toEqual([]);
  rmSync(at("hold"));
  expect(await ended(id)).toMatchObject({ outcome: "done", reason: "win11 (domain 9) was started" });
  const unit = "sallyport-guest@etc-passwd.service";
  expect(asked()).toBe(`restart ${unit}\nstart ${unit}\n`);
  expect(of("command.received", id)).toHaveLength(1);
  await stop(child);
}, 600_000);
