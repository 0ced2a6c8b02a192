/** A folder of policies against the groups there are → what would be done, as a table. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Policy, policyDigest } from "./policy.ts";
import type { RepositoryFile } from "./repository/files.ts";
import type { GroupNow, Step } from "./repository/step.ts";
import { planCounts, planRefusals, planRepository } from "./repository.ts";

const hash = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const HERE = "https://git.example/policies";
const SOURCE = "usb:\n  unscannable: block\n";
const OTHER = "usb:\n  unscannable: hold\n";
const policy = Policy.parse({ usb: { unscannable: "block" } });
const digest = policyDigest(hash, policy);
const file = (more: Partial<RepositoryFile> = {}): RepositoryFile => ({
  ...{ file: "finance.yaml", group: "finance", source: SOURCE, ...more },
});
const group = (more: Partial<GroupNow> = {}): GroupNow => ({
  ...{ id: "g", name: "finance", repository: HERE, isRetired: false, threshold: 1, newest: 3 },
  ...{ whole: { order: 3, digest, policy, source: SOURCE }, moving: null, aborted: null, proposed: [] },
  ...{ workstations: 2, labels: {}, members: 2, tokens: 0, ...more },
});
const elsewhere = { order: 3, digest: "0".repeat(64), policy: Policy.parse({}), source: OTHER };

function stepOf(
  files: RepositoryFile[],
  groups: GroupNow[],
  { repository = HERE as string | null, again = false } = {},
) {
  const planned = planRepository(hash, { repository, files, groups, again });
  if (!planned.ok) throw new Error(planned.faults.join("\n"));
  return planned.plan.steps[0] as Step;
}

describe("a group's file", () => {
  it.each<[string, Partial<RepositoryFile>, Partial<GroupNow> | undefined, Partial<Step>]>([
    ["of no group makes it", {}, undefined, { act: "create", how: "publish", takes: true, id: null, before: null }],
    [
      "that says what is in force does nothing",
      {},
      {},
      { act: "none", how: null, words: "as r3", notes: [], changes: [] },
    ],
    [
      "that only is written otherwise does nothing, and says so",
      { source: `# checked\n${SOURCE}` },
      {},
      { act: "none", words: "as r3", notes: [expect.stringContaining("Only its writing differs")] as never },
    ],
    [
      "that is being rolled out does nothing",
      {},
      { whole: elsewhere, moving: { order: 4, digest, state: "soaking" } },
      { act: "none", words: "a rollout of it is under way (r4, soaking)" },
    ],
    [
      "that waits for signatures does nothing",
      {},
      { whole: elsewhere, proposed: [{ id: "p-1", digest }] },
      { act: "none", words: "it waits for its approvers’ signatures (p-1)" },
    ],
    [
      "that says something else is published",
      {},
      { whole: elsewhere },
      { act: "change", how: "publish", after: digest },
    ],
    [
      "of a group of nobody's becomes its source, and its policy stays",
      {},
      { repository: null },
      { act: "change", how: null, takes: true, words: `is managed from ${HERE} from now on; its policy stays, as r3` },
    ],
    [
      "of a retired group brings it back",
      {},
      { isRetired: true },
      { act: "change", how: null, revives: true, words: "comes back; its policy stays, as r3" },
    ],
    [
      "of a retired group with another policy makes it again",
      {},
      { isRetired: true, whole: elsewhere },
      { act: "create" },
    ],
    [
      "that would go back to what is in force ends the rollout of another",
      {},
      { moving: { order: 4, digest: "1".repeat(64), state: "running" } },
      { act: "change", notes: expect.arrayContaining([expect.stringContaining("ends the rollout of r4")]) as never },
    ],
  ])("%s", (_, more, now, expected) => {
    expect(stepOf([file(more)], now === undefined ? [] : [group(now)])).toMatchObject(expected);
  });
});

describe("what is refused", () => {
  it.each<[string, Partial<GroupNow>, RegExp]>([
    [
      "a group that another repository manages",
      { repository: "https://git.example/others", whole: elsewhere },
      /An owner takes it back/,
    ],
    [
      "a policy whose rollout was taken back",
      { whole: elsewhere, aborted: { order: 3, digest, reason: "two failed" } },
      /was taken back: two failed\. Change the file, or say --again/,
    ],
  ])("%s", (_, now, words) => {
    expect(stepOf([file()], [group(now)]).refused.join("\n")).toMatch(words);
  });

  it("but not one that is asked for again", () => {
    const now = group({ whole: elsewhere, aborted: { order: 3, digest, reason: "two failed" } });
    expect(stepOf([file()], [now], { again: true }).refused).toEqual([]);
  });

  it("the retiring of a group that somebody is in, or is on the way into", () => {
    const planned = planRepository(hash, { repository: HERE, files: [], groups: [group({ tokens: 1 })], again: false });
    if (!planned.ok) throw new Error("it has no files");
    expect(planned.plan.steps).toMatchObject([{ act: "delete", after: null }]);
    expect(planRefusals(planned.plan)).toEqual([
      expect.stringContaining("2 workstations are in finance: move or revoke them first"),
      expect.stringContaining("1 enrolment token leads into finance"),
    ]);
  });
});

describe("the whole plan", () => {
  it("leaves the groups of nobody's and of others alone, and names them", () => {
    const groups = [group(), group({ id: "h", name: "lab", repository: null })];
    const planned = planRepository(hash, { repository: HERE, files: [file()], groups, again: false });
    expect(planned).toMatchObject({ ok: true, plan: { left: ["lab"] } });
    if (planned.ok) expect(planCounts(planned.plan)).toEqual({ create: 0, change: 0, delete: 0, none: 1 });
  });

  it("has another digest when anything is that it would do or has looked at", () => {
    const digestOf = (now: GroupNow, source = SOURCE) => {
      const planned = planRepository(hash, {
        repository: HERE,
        files: [file({ source })],
        groups: [now],
        again: false,
      });
      return planned.ok && planned.plan.digest;
    };
    const first = digestOf(group({ whole: elsewhere }));
    expect(digestOf(group({ whole: elsewhere }))).toBe(first);
    expect(digestOf(group({ whole: elsewhere, newest: 4 }))).not.toBe(first);
    expect(digestOf(group({ whole: elsewhere }), `# why\n${SOURCE}`)).not.toBe(first);
  });

  it("is none where two files are for one group, or one cannot be read", () => {
    const files = [
      file(),
      file({ file: "Finance.yml", group: "Finance" }),
      file({ file: "x.yaml", group: "x", source: "usb: 1" }),
    ];
    const planned = planRepository(hash, { repository: HERE, files, groups: [], again: false });
    expect(planned).toEqual({
      ok: false,
      faults: [
        expect.stringContaining("Finance.yml: finance.yaml is for the same group"),
        expect.stringMatching(/^x\.yaml:1:/),
      ],
    });
  });
});
