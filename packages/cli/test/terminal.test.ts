/** Signing as a person does it, at a terminal: questions, a pass phrase that is not shown, and the word yes. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Proposal, Signing } from "@sallyport/shared/approval/proposal.ts";
import { fromBase64, toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { signStatement } from "@sallyport/shared/policy/statement.ts";
import { isSignedBy, keyId } from "@sallyport/shared/trail/signed.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newSigner } from "../../shared/test/keys.ts";
import { hash, verify } from "../src/crypto.ts";

const SALLYPORT = join(import.meta.dirname, "../bin/sallyport.mjs");
const PASSPHRASE = "correct horse battery";
const RUNS_MS_MAX = 300_000;
const folder = mkdtempSync(join(tmpdir(), "sallyport-terminal-"));
let proposal: Proposal;

beforeAll(() => {
  const console = newSigner();
  const workstation = randomUUID() as string as WorkstationId;
  const issued = new Date().toISOString();
  const notAfter = new Date(Date.now() + 3_600_000).toISOString();
  const about = { type: "command", audience: { workstation }, order: 1, issued, notAfter } as const;
  const volume = "01234567-89ab-cdef-0123-456789abcdef";
  const command = { id: randomUUID(), verb: "wipe", arguments: { volume }, notAfter };
  proposal = Proposal.parse({
    ...{ id: randomUUID(), kind: "command", state: "waiting", group: { id: randomUUID(), name: "desks" } },
    ...{ text: "rescan", message: "nothing to see here", by: "nora", askedAt: issued, expires: notAfter, needed: 1 },
    ...{ signed: [], names: {}, inForce: null, called: { [workstation]: "desk-1" } },
    signers: {
      threshold: 1,
      keys: [{ id: keyId(hash, console.publicKey), publicKey: toBase64(console.publicKey), role: "console" }],
    },
    statements: [signStatement(hash, [console], about, command)],
  });
  writeFileSync(join(folder, "wish.json"), JSON.stringify(proposal));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function atTerminal(answers: [string, string][], ...args: string[]): Promise<{ code: number | null; seen: string }> {
  const { SALLYPORT_PASSPHRASE: _, ...env } = process.env;
  const driver = join(import.meta.dirname, "terminal.py");
  const child = spawn("python3", [driver, JSON.stringify(answers), process.execPath, SALLYPORT, ...args], {
    ...{ cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] },
  });
  let seen = "";
  child.stdout!.on("data", (chunk) => {
    seen += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, seen })));
}

it("a key is made under a pass phrase that is typed twice, and signs after a yes and that pass phrase", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const differ: [string, string][] = [
    ["new key: ", PASSPHRASE],
    ["Once more: ", "something else here"],
  ];
  const wrong = await atTerminal(differ, "key", "new", "anna.key", "--name", "Anna");
  expect(wrong.code).toBe(1);
  expect(wrong.seen).toContain("The two pass phrases differ. Nothing was made.");
  expect(existsSync(join(folder, "anna.key"))).toBe(false);

  const same: [string, string][] = [
    ["new key: ", PASSPHRASE],
    ["Once more: ", PASSPHRASE],
  ];
  const made = await atTerminal(same, "key", "new", "anna.key", "--name", "Anna");
  expect(made.code).toBe(0);
  expect(made.seen).not.toContain(PASSPHRASE);

  const no = await atTerminal([["Type yes: ", "y"]], "sign", "wish.json", "--key", "anna.key");
  expect(no.code).toBe(3);
  expect(no.seen).toContain("Not signed: it was not confirmed.");
  const yes: [string, string][] = [
    ["Type yes: ", "yes"],
    ["anna.key: ", PASSPHRASE],
  ];
  const signed = await atTerminal(yes, "sign", "wish.json", "--key", "anna.key");
  expect(signed.code).toBe(0);
  expect(signed.seen).not.toContain(PASSPHRASE);
  // the console called it a rescan
  expect(signed.seen).toMatch(/^Tells workstation .* to wipe its volume/);
  expect(signed.seen).toContain("DESTROYS");
  const { key, signatures } = Signing.parse(JSON.parse(readFileSync(join(folder, "wish.json.signed"), "utf8")));
  const { text } = proposal.statements[0]!;
  expect(isSignedBy(verify, fromBase64(key), "sallyport/statement/1", { text, signatures })).toBe(true);
});

it("broken off, it signs nothing", { timeout: RUNS_MS_MAX }, async () => {
  rmSync(join(folder, "wish.json.signed"), { force: true });
  const broken: [string, string][] = [
    ["Type yes: ", "yes"],
    ["anna.key: ", "corr\u0003"],
  ];
  const ran = await atTerminal(broken, "sign", "wish.json", "--key", "anna.key");
  expect(ran.code).toBe(1);
  expect(ran.seen).toContain("Broken off; nothing was done.");
  expect(existsSync(join(folder, "wish.json.signed"))).toBe(false);
});
