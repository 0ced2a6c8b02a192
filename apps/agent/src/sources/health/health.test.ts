import type { AgentHealth } from "@sallyport/shared/record/agent.ts";
import { describe, expect, it } from "vitest";
import { versionIn, xenVersion } from "./versions.ts";
import { healthSeverity, healthWords, inUnits } from "./words.ts";

const GiB = 1024 ** 3;
const well: AgentHealth = {
  agentVersion: "0.1.0",
  node: "v24",
  uptimeSeconds: 1,
  residentBytes: 74 * 1024 * 1024,
  clock: { synchronised: true },
  disk: { freeBytes: 12 * GiB, totalBytes: 30 * GiB },
  spool: { records: 12, bytes: 3_400, bytesMax: GiB },
  versions: {},
};

describe("health", () => {
  it("in one line", () => {
    expect(healthWords(well)).toBe(
      "spool 12 records, 3.3 KiB of 1.0 GiB; disk 12.0 GiB free of 30.0 GiB; agent 74.0 MiB",
    );
    expect(healthSeverity(well)).toBe("info");
  });

  it.each<[string, Partial<AgentHealth>, string]>([
    ["the clock is not synchronised", { clock: { synchronised: false } }, "notice"],
    ["the clock is -9 s off the console's", { clock: { consoleSkewMs: -9_000 } }, "warning"],
    ["the disk is nearly full", { disk: { freeBytes: 1, totalBytes: 100 } }, "error"],
    ["the spool is nearly full", { spool: { records: 1, bytes: 90, bytesMax: 100 } }, "error"],
  ])("says when %s", (words, change, severity) => {
    expect(healthWords({ ...well, ...change })).toContain(words);
    expect(healthSeverity({ ...well, ...change })).toBe(severity);
  });
});

it.each([
  ["This is Suricata version 7.0.10 RELEASE", "7.0.10"],
  ["ClamAV 1.4.3/27500/Mon Nov 23 08:00:00 2026", "1.4.3"],
  ["nftables v1.0.6 (Lester Gooch #5)", "1.0.6"],
  ["ulogd Version 2.0.8\nCopyright", "2.0.8"],
  ["nothing", undefined],
])("the version in %j", (text, version) => expect(versionIn(text)).toBe(version));

it("Xen's version stands in three files", () => {
  expect(xenVersion(["4\n", "20\n", ".3\n"])).toBe("4.20.3");
  expect(xenVersion([undefined, undefined, undefined])).toBeUndefined();
});

it("sizes have units", () => {
  expect([0, 1023, 1024, 1536, 200 * GiB].map(inUnits)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "200 GiB"]);
});
