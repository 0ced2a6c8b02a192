import fc from "fast-check";
import { expect, test } from "vitest";
import { readPolicy } from "./document.ts";
import { Policy } from "./policy.ts";

const faults = (text: string) => {
  const read = readPolicy(text);
  return read.ok ? [] : read.faults.map(({ path, line, column, message }) => `${path} ${line}:${column} ${message}`);
};

test("an empty document is the strict defaults, and YAML and JSON mean the same", () => {
  expect(readPolicy("")).toEqual({ ok: true, policy: Policy.parse({}) });
  expect(readPolicy("log:\n  linesPerSecond: 5\n")).toEqual(readPolicy('{"log": {"linesPerSecond": 5}}'));
});

test.each([
  ["a wrong value", "log:\n  leastSeverity: bad\n", /^log\.leastSeverity 2:18 /],
  ["a setting that is not known", "usb:\n  infected: hold\n  scan: 1\n", /^usb\.scan 3:3 there is no such setting$/],
  [
    "a wrong item of a list",
    "network:\n  rules:\n    - name: a\n      verdict: allow\n    - name: b\n      verdict: maybe\n",
    /^network\.rules\[1\]\.verdict 6:16 /,
  ],
  [
    "no address",
    "network:\n  rules:\n    - { name: a, verdict: allow, to: 300.1.1.1 }\n",
    /^network\.rules\[0\]\.to 3:38 an address is 192\.0\.2\.7 or/,
  ],
  ["no hash", "usb:\n  denySha256: [ABC]\n", /^usb\.denySha256\[0\] 2:16 a sha256 is 64 hex digits/],
  ["no media type", "usb:\n  denyTypes: [exe]\n", /^usb\.denyTypes\[0\] 2:15 a media type is/],
  ["something missing", "network:\n  rules:\n    - name: a\n", /^network\.rules\[0\]\.verdict 3:7 /],
  ["a section that is not one", "usb: yes\n", /^usb 1:6 /],
  ["YAML that cannot be read", "usb:\n  infected: [\n", /^ 3:1 /],
  ["a key twice", "usb: {}\nusb: {}\n", /^ 2:1 .*unique/],
  ["a second document", "log: {}\n---\nlog: {}\n", /^ [23]:\d+ a second document begins here; a policy is one$/],
  ["bytes in disguise", "log: !!binary aGk=\n", /^ 1:\d+ the tag \S*binary: a policy has none$/],
  ["a tag of one's own", "usb: !mine {}\n", /^ 1:\d+ .*tag/],
  ["JSON that cannot be read", '{"usb": {', /^ 1:\d+ /],
])("%s is told with its place", (_name, text, wanted) => expect(faults(text)[0]).toMatch(wanted));

test("a document of aliases that would unfold without end is refused", () => {
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (let at = 1; at < 9; at++)
    bomb.push(
      `${"abcdefghi"[at]}: &${"abcdefghi"[at]} [${Array(9)
        .fill(`*${"abcdefghi"[at - 1]}`)
        .join(",")}]`,
    );
  expect(faults(bomb.join("\n"))[0]).toMatch(/alias/);
});

test.each([
  ["addresses", `addresses: *far`, (n: number) => `&far [${Array(n).fill("192.0.2.7").join(",")}]`, 128, 32_768],
  [
    "windows of time",
    `during: *times`,
    (n: number) => `&times [${Array(n).fill("{from: 08:00}").join(",")}]`,
    8,
    2_000,
  ],
])("more %s than a workstation loads is refused with what to cut", (what, named, list, each, most) => {
  const document = (rules: number) =>
    `network:\n  rules:\n${Array.from({ length: rules }, (_, at) => `    - { name: n, verdict: block, ${at === 0 ? named.replace(/\*\w+/, list(each)) : named} }\n`).join("")}`;
  expect(faults(document(most / each))).toEqual([]);
  expect(faults(document(most / each + 1))[0]).toMatch(
    new RegExp(
      `^network\\.rules 3:5 ${most + each} ${what}.* in all rules together, and no workstation loads more than ${most}: `,
    ),
  );
});

test("any text gives a policy or faults with a place in it, and never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.string({ unit: fc.constantFrom(..."usb: {}[]-\n&*!|>'\"") })),
      (text) => {
        const read = readPolicy(text);
        if (read.ok) return;
        expect(read.faults.length).toBeGreaterThan(0);
        for (const fault of read.faults) expect(fault.line).toBeLessThanOrEqual(text.split("\n").length);
      },
    ),
  );
});
