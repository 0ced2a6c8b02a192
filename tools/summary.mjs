// vitest's JSON reports → counts and the failures in words. Pure.
export const sum = (all) =>
  all.reduce(
    (total, { passed, failed, skipped }) => ({
      passed: total.passed + passed,
      failed: total.failed + failed,
      skipped: total.skipped + skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );

export const summaryLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

/** The files a report calls failed, as given to the runner once more; none where the suite ended without a report. */
export const failedFiles = (report) =>
  (report?.testResults ?? []).filter(({ status }) => status === "failed").map(({ name }) => name);

/** A report in which the files that ran again stand as they ended the second time. */
export function withSecond(first, second) {
  const again = new Map(second.testResults.map((file) => [file.name, file]));
  return { testResults: first.testResults.map((file) => again.get(file.name) ?? file) };
}

/** A suite that ended badly without a failed test (it did not load, it was stopped) counts as one failure. */
export function failuresOf(suite, code, report, output, root) {
  const tests = (report?.testResults ?? []).flatMap((file) =>
    file.assertionResults.map((test) => ({ ...test, file: file.name.replace(`${root}/`, "") })),
  );
  const failed = tests.filter(({ status }) => status === "failed");
  const broken = (report?.testResults ?? []).filter(
    (file) =>
      file.status === "failed" && file.message && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failures = [
    ...failed.map(
      ({ file, fullName, failureMessages }) => `${file} › ${fullName}\n${(failureMessages[0] ?? "").slice(0, 2000)}`,
    ),
    ...broken.map(({ name, message }) => `${name.replace(`${root}/`, "")}\n${message.slice(0, 2000)}`),
  ];
  if (code !== 0 && failures.length === 0)
    failures.push(`${suite} ended with code ${code}\n${output.trim().slice(-3000)}`);
  const passed = tests.filter(({ status }) => status === "passed").length;
  return { counts: { passed, failed: failures.length, skipped: tests.length - passed - failed.length }, failures };
}
