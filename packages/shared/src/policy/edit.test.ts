import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { Edit } from "./change.ts";
import { readPolicy } from "./document.ts";
import { editPolicy, rawPolicy } from "./edit.ts";
import { POLICY_TEMPLATE } from "./template.ts";
import { STORAGE_RULES } from "./usb.ts";

const TEXT = `# the night shift's
usb:
  deviceRules: # first match wins
    # printers
    - allow id 1234:0001
    - allow id 1234:0002 # the old one

    # the rest
    - block
  infected: block # never let it in
network: { otherwise: block, rules: [{ name: web, verdict: allow, ports: ["443"] }] }
log:
  linesPerSecond: 500   # agreed
`;
const edited = (text: string, edit: Edit): string => {
  const done = editPolicy(text, edit);
  if (!done.ok) throw new Error(done.error);
  return done.value;
};
const rules = ["usb", "deviceRules"];
/** Lines that are in one text and not in the other, in order. */
const differing = (before: string, after: string) => {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return { gone: old.filter((line) => !now.includes(line)), come: now.filter((line) => !old.includes(line)) };
};

describe("a change by the form", () => {
  test.each<[string, Edit, { gone: string[]; come: string[] }]>([
    [
      "of a word leaves the comment behind it",
      { op: "set", path: ["usb", "infected"], value: "hold" },
      { gone: ["  infected: block # never let it in"], come: ["  infected: hold # never let it in"] },
    ],
    [
      "of a number leaves the spaces",
      { op: "set", path: ["log", "linesPerSecond"], value: 20 },
      { gone: ["  linesPerSecond: 500   # agreed"], come: ["  linesPerSecond: 20   # agreed"] },
    ],
    [
      "within braces stays within them",
      { op: "set", path: ["network", "rules", 0, "verdict"], value: "block" },
      {
        gone: ['network: { otherwise: block, rules: [{ name: web, verdict: allow, ports: ["443"] }] }'],
        come: ['network: { otherwise: block, rules: [{ name: web, verdict: block, ports: ["443"] }] }'],
      },
    ],
    [
      "of a text that means something to YAML is quoted",
      { op: "set", path: ["usb", "infected"], value: "a: # b" },
      { gone: ["  infected: block # never let it in"], come: ['  infected: "a: # b" # never let it in'] },
    ],
    [
      "that adds a setting adds one line",
      { op: "set", path: ["log", "burstLines"], value: 10 },
      { gone: [], come: ["  burstLines: 10"] },
    ],
    [
      "that adds a section adds it at the end",
      { op: "set", path: ["agent", "healthSeconds"], value: 60 },
      { gone: [], come: ["agent:", "  healthSeconds: 60"] },
    ],
    [
      "that adds a rule adds one line",
      { op: "insert", path: rules, at: 1, value: "allow id 9:9" },
      { gone: [], come: ["    - allow id 9:9"] },
    ],
    [
      "that removes a rule takes its own comment along, no other",
      { op: "remove", path: rules, at: 1 },
      { gone: ["    - allow id 1234:0002 # the old one"], come: [] },
    ],
    [
      "that takes a setting away takes its line",
      { op: "set", path: ["usb", "infected"], value: undefined },
      { gone: ["  infected: block # never let it in"], come: [] },
    ],
  ])("%s", (_what, edit, lines) => {
    expect(differing(TEXT, edited(TEXT, edit))).toEqual(lines);
  });

  it("leaves the lines of others as they are, however a list is written", () => {
    const text =
      "usb: # of the floor\n  denyTypes:\n    - image/png # seen in May\n    - image/gif\nnetwork:\n  rules: []\n  otherwise:   block\n";
    const types = ["usb", "denyTypes"];
    const more = edited(text, { op: "set", path: types, value: ["image/png", "image/*", "text/html"] });
    expect(differing(text, more)).toEqual({ gone: ["    - image/gif"], come: ["    - image/*", "    - text/html"] });
    expect(edited(more, { op: "set", path: types, value: ["image/png"] })).toBe(text.replace("    - image/gif\n", ""));
    const rule = { name: "web", verdict: "allow", ports: ["443"] };
    const ruled = edited(text, { op: "insert", path: ["network", "rules"], at: 0, value: rule });
    expect(differing(text, ruled)).toMatchObject({
      gone: ["  rules: []"],
      come: ["  rules:", "    - name: web", "      verdict: allow", "      ports:", '        - "443"'],
    });
    expect(edited(ruled, { op: "remove", path: ["network", "rules"], at: 0 })).toBe(text);
    const flow = "network: # all\n  rules:\n    - { name: web, verdict: allow,  ports: ['443'] }\n";
    const ports = { op: "set", path: ["network", "rules", 0, "ports"], value: ["443", "80-90"] } as const;
    expect(edited(flow, ports)).toBe(flow.replace("['443']", "['443', \"80-90\"]"));
  });

  it("writes within braces what stands within braces", () => {
    const text = "network: # all\n  rules:\n    - {}\n    - { name: web,   verdict: allow }\n";
    const named = edited(text, { op: "set", path: ["network", "rules", 0, "name"], value: "a b" });
    expect(named).toBe(text.replace("- {}", '- { name: "a b" }'));
    const ported = edited(text, { op: "set", path: ["network", "rules", 1, "ports"], value: ["443"] });
    expect(ported).toBe(
      text.replace("{ name: web,   verdict: allow }", '{ name: web, verdict: allow, ports: ["443"] }'),
    );
    expect(edited(ported, { op: "set", path: ["network", "rules", 1, "verdict"], value: undefined })).toContain(
      '- { name: web, ports: ["443"] }',
    );
    expect(edited(named, { op: "set", path: ["network", "rules", 0, "name"], value: undefined })).toBe(text);
  });

  it("moves a rule with the comment above it", () => {
    const moved = edited(TEXT, { op: "move", path: rules, from: 0, to: 2 });
    expect(moved).toContain("    - block\n    # printers\n    - allow id 1234:0001\n  infected");
    expect(rawPolicy(moved)?.value).toMatchObject({
      usb: { deviceRules: ["allow id 1234:0002", "block", "allow id 1234:0001"] },
    });
  });

  it("begins a list that is not written with its default", () => {
    const made = edited("{}\n", { op: "insert", path: rules, at: 3, value: "allow id 1234:0009" });
    const read = readPolicy(made);
    expect(read.ok && read.policy.usb.deviceRules).toEqual([...STORAGE_RULES, "allow id 1234:0009"]);
  });

  it.each(["", "# only a comment\n", "usb:\n", "usb: {}\n", "usb:\n  infected:\n"])("finds a place in %j", (text) => {
    const made = edited(text, { op: "set", path: ["usb", "infected"], value: "hold" });
    expect(rawPolicy(made)?.value).toEqual({ usb: { infected: "hold" } });
    expect(made).toContain(text.startsWith("#") ? "# only a comment" : "hold");
  });

  it("leaves JSON what it is", () => {
    const text = JSON.stringify({ usb: { deviceRules: ["block"] } }, null, 4);
    const made = edited(text, { op: "insert", path: rules, at: 0, value: "allow id 1:1" });
    expect(JSON.parse(made)).toEqual({ usb: { deviceRules: ["allow id 1:1", "block"] } });
    expect(made).toContain('\n    "usb"');
    expect(
      JSON.parse(edited('{"log":{"linesPerSecond":5}}', { op: "set", path: ["usb", "infected"], value: "hold" })),
    ).toEqual({ log: { linesPerSecond: 5 }, usb: { infected: "hold" } });
  });

  it("refuses what an alias says elsewhere, and a text that cannot be read", () => {
    const alias = "usb: &a\n  mode: audit\nids: *a\n";
    expect(editPolicy(alias, { op: "set", path: ["ids", "mode"], value: "enforce" })).toMatchObject({
      ok: false,
      error: expect.stringMatching(/ids\.mode is written in a way/),
    });
    expect(editPolicy("usb: [", { op: "set", path: ["ids", "mode"], value: "enforce" })).toMatchObject({
      ok: false,
      error: expect.stringMatching(/cannot be read/),
    });
  });
});

it("any run of changes says what was asked and keeps every comment that is not of what was removed", () => {
  const rule = fc.constantFrom("allow id 1:1", "block", 'allow name "a # b"', "reject via-port 1-2");
  const word = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("block", "hold", "yes", "null", "~", "0x10", "1e3", "- a", "a: b", "# c", "é"),
  );
  const step = fc.oneof(
    fc.record({ op: fc.constant("insert" as const), path: fc.constant(rules), at: fc.nat(9), value: rule }),
    fc.record({ op: fc.constant("move" as const), path: fc.constant(rules), from: fc.nat(9), to: fc.nat(9) }),
    fc.record({
      op: fc.constant("set" as const),
      path: fc.constantFrom(["usb", "infected"], ["log", "leastSeverity"], ["disk", "require"], ["network", "rules"]),
      value: fc.oneof(word, fc.constantFrom(undefined, null, 5, true, [], ["a", { b: 1 }])),
    }),
  );
  const comments = POLICY_TEMPLATE.match(/#[^\n]*/g)!.filter(
    (comment) => !/hold: a person|traffic that|name: web/.test(comment),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      let text = POLICY_TEMPLATE;
      for (const edit of steps) {
        const now = rawPolicy(text)?.value as { usb: { deviceRules: unknown[] } };
        const count = now.usb.deviceRules.length;
        const within =
          edit.op === "insert"
            ? { ...edit, at: edit.at % (count + 1) }
            : edit.op === "move"
              ? { ...edit, from: edit.from % count, to: edit.to % count }
              : edit;
        text = edited(text, within as Edit); // it compares by itself what it made with what was asked
      }
      for (const comment of comments) expect(text).toContain(comment);
    }),
    { numRuns: 300 },
  );
});
