import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { CommandId, Sha256 } from "@sallyport/shared/base/ids.ts";
import { CommandDiagnostics } from "@sallyport/shared/record/command.ts";
import { contentBytes } from "@sallyport/shared/record/content.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { simDom0 } from "../sim/sim.ts";
import { ALL_MS_MAX, BUNDLE_BYTES_MAX, bounded, diagnosticsPerformer, PART_CHARS_MAX } from "./diagnostics.ts";

const id = "aaaaaaaa-1111-4111-8111-111111111111" as CommandId;
const turn = {
  command: { id, verb: "diagnostics", arguments: {}, notAfter: "2026-11-24T11:00:00.000Z" },
  noted: null,
  isAgain: false,
  signal: new AbortController().signal,
} as never;

it("gathers each program's last words, says what could not be had, and fits a record", async () => {
  const dom0 = simDom0();
  dom0.program("nft", () => ({ stdout: "table inet sallyport {\n}\n" }));
  dom0.program("xl", ([act]) =>
    act === "dmesg" ? { stdout: `old${"\u001b[0m".repeat(40_000)}new` } : { code: 1, stderr: "not allowed\n" },
  );
  const versions = async () => ({ nft: "1.0.6" });
  const report = () => ({ sections: { usb: { outcome: "not-applied" } } });
  const parts = { dom0, versions, report, agentVersion: "1", now: () => 0 };
  const outcome = await diagnosticsPerformer(parts).perform(turn);
  const [observation] = outcome.observations ?? [];
  const body = CommandDiagnostics.parse(observation?.body);
  const part = (name: string) => body.parts.find((each) => each.name === name);
  expect(part("versions")?.text).toContain("nft 1.0.6");
  expect(part("nftables")).toMatchObject({ text: "table inet sallyport {\n}\n", truncated: false });
  expect(part("xl info")).toMatchObject({ why: "not allowed" });
  // the unit's ProtectKernelLogs takes the log itself away
  expect(part("kernel")?.why).toContain("cannot start journalctl");
  expect(part("report")?.text).toContain('"outcome": "not-applied"');
  const asked = ["units", "failed units", "packages", "xl list", "journal", "scanner's journal", "disk space"];
  for (const name of asked) expect(part(name)?.why).toMatch(/cannot start|not allowed/);
  expect(part("detector's counters")).toBeUndefined();
  expect(part("xl dmesg")).toMatchObject({ truncated: true, bytes: 160_006 });
  expect(part("xl dmesg")?.text?.endsWith("new")).toBe(true);
  expect(contentBytes({ text: "", body }).length).toBeLessThanOrEqual(BUNDLE_BYTES_MAX);
});

it("ends in a minute also where every program hangs, and says what was not asked", async () => {
  const dom0 = simDom0();
  const limits: number[] = [];
  const run: typeof dom0.run = async (_program, _args, { timeoutMs }) => {
    limits.push(timeoutMs);
    dom0.pass(timeoutMs);
    return { code: null, stdout: "", stderr: "", timedOut: true };
  };
  const parts = { versions: async () => ({}), report: () => null, agentVersion: "1", now: () => 0 };
  const began = dom0.monotonic();
  const outcome = await diagnosticsPerformer({ ...parts, dom0: { ...dom0, run } }).perform(turn);
  expect(dom0.monotonic() - began).toBe(ALL_MS_MAX);
  const body = CommandDiagnostics.parse(outcome.observations?.[0]?.body);
  const whys = body.parts.flatMap(({ why }) => why ?? []);
  expect(whys.filter((why) => why.startsWith("it took longer than 15 s"))).toHaveLength(limits.length);
  expect(whys.at(-1)).toBe("not asked: what came before took 60 s");
  expect(whys.length).toBeGreaterThan(limits.length);
});

it("has no key material in it, also where a program prints some", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const token = printToken({
    url: "https://console.example.org",
    ca: "0".repeat(64) as Sha256,
    secret: randomBytes(32).toString("base64url"),
  });
  const recovery = (randomBytes(32).toString("hex").match(/.{8}/g) ?? []).join("-");
  const dom0 = simDom0();
  const leak = `before\n${pem}between ${token} and ${recovery} after\n`;
  for (const program of ["xl", "journalctl", "suricatasc", "nft"])
    dom0.program(program, () => ({ stdout: leak, stderr: leak }));
  dom0.program("systemctl", () => ({ code: 1, stderr: `${token}\n` }));
  const parts = {
    dom0,
    versions: async () => ({}),
    report: () => ({ said: leak }),
    agentVersion: "1",
    now: () => 0,
    detectorSocket: "/run/x",
  };
  const outcome = await diagnosticsPerformer(parts).perform(turn);
  const pack = JSON.stringify(outcome.observations);
  for (const secret of [pem.split("\n")[1]!, token, recovery]) expect(pack).not.toContain(secret);
  for (const kept of ["before", "between", "after", "a private key, left out"]) expect(pack).toContain(kept);
});

it("whatever is gathered fits a record", () => {
  const text = fc.oneof(
    fc
      .string({ unit: "grapheme", maxLength: 200 })
      .map((each) => each.repeat(500).slice(0, PART_CHARS_MAX).toWellFormed()),
    fc.constant("\u0000".repeat(PART_CHARS_MAX)),
    fc.constant("\u{1f600}".repeat(PART_CHARS_MAX / 2)),
  );
  const part = fc.record({ name: fc.constant("part"), text, bytes: fc.nat(), truncated: fc.boolean() });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const body = CommandDiagnostics.parse(bounded(id, parts));
      expect(contentBytes({ text: "", body }).length).toBeLessThanOrEqual(BUNDLE_BYTES_MAX);
    }),
    { numRuns: 30 },
  );
});
