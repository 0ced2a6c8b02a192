import { describe, expect, it } from "vitest";
import { failedFiles, failuresOf, sum, summaryLine, withSecond } from "./summary.mjs";

const file = (name: string, statuses: string[], message = "") => ({
  name: `/root/${name}`,
  status: statuses.includes("failed") || message ? "failed" : "passed",
  message,
  assertionResults: statuses.map((status, at) => ({ status, fullName: `test ${at}`, failureMessages: ["because"] })),
});

describe("the summary of a run", () => {
  it("names skipped tests only where there are any", () => {
    expect(summaryLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(summaryLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });

  it("counts what each report says", () => {
    const report = { testResults: [file("a.test.ts", ["passed", "failed"]), file("b.test.ts", ["passed", "skipped"])] };
    const { counts, failures } = failuresOf("unit", 1, report, "", "/root");
    expect(counts).toEqual({ passed: 2, failed: 1, skipped: 1 });
    expect(failures).toEqual(["a.test.ts › test 1\nbecause"]);
  });

  it("counts a file that did not load as a failure", () => {
    const { counts } = failuresOf("unit", 1, { testResults: [file("a.test.ts", [], "no such module")] }, "", "/root");
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it("counts a suite without a report as a failure, never as nothing", () => {
    expect(failuresOf("unit", 137, undefined, "killed", "/root").counts.failed).toBe(1);
    expect(failuresOf("unit", 1, { testResults: [file("a.test.ts", ["passed"])] }, "", "/root").counts.failed).toBe(1);
  });

  it("lets a file stand as it ended the second time, and no other", () => {
    const first = { testResults: [file("a.test.ts", ["failed"]), file("b.test.ts", ["failed", "passed"])] };
    expect(failedFiles(first)).toEqual(["/root/a.test.ts", "/root/b.test.ts"]);
    const second = { testResults: [file("a.test.ts", ["passed"])] };
    const { counts, failures } = failuresOf("unit", 1, withSecond(first, second), "", "/root");
    expect(counts).toEqual({ passed: 2, failed: 1, skipped: 0 });
    expect(failures).toEqual(["b.test.ts › test 0\nbecause"]);
  });

  it("adds suites up", () => {
    const one = { passed: 1, failed: 2, skipped: 3 };
    expect(sum([one, one])).toEqual({ passed: 2, failed: 4, skipped: 6 });
  });
});
