import fc from "fast-check";
import { expect, test } from "vitest";
import { adding, Cursor, chips, Filter, readFilter, readWord, takenAsText, without, writeFilter } from "./filter.ts";

const read = (search: string) => readFilter(new URLSearchParams(search));

test("a filter written into a URL is read back the same", () => {
  const filter: Filter = {
    kind: ["usb.scan", "guest.*"],
    notKind: ["guest.log"],
    severity: "warning",
    guest: ["win11"],
    text: ["50 % & more", "=+?#"],
    since: "2026-11-24T08:00:00.000Z",
  };
  expect(read(writeFilter(filter))).toEqual({ filter, faults: [] });
});

test("what cannot be read is left out and told, and the rest still filters", () => {
  const { filter, faults } = read("kind=DROP TABLE&severity=terrible&text=x&workstation=1&since=yesterday");
  expect(filter).toEqual({ text: ["x"] });
  expect(faults.map((fault) => fault.split(":")[0])).toEqual(["kind", "workstation", "severity", "since"]);
});

test("a text that looks like more than a text is told to have been looked for as it stands", () => {
  const told = (typed: string) => takenAsText({ text: [typed] }).join();
  expect(told("host:vm")).toMatch(/“host:” is no field.*Fields are kind, -kind, severity/);
  expect(told("-sudo")).toMatch(/cannot be left out/);
  expect(told("ssh OR sudo")).toMatch(/no OR and no NOT/);
  for (const plain of ["hello", "10.0.0.7:443", "sudo: pam", "12:30", "and so on", "a - b"])
    expect(told(plain)).toBe("");
});

test("what a filter may not be is told in words, and not in a library's", () => {
  expect(readWord("severity:bogus")).toEqual({
    fault: "severity: one of debug, info, notice, warning, error or critical",
  });
});

test("a time that the database does not have is no filter, cursor or place to resume", () => {
  const { filter, faults } = read("since=0000-01-01T00:00:00Z&until=1970-01-01T00:00:00Z");
  expect(filter).toEqual({ until: "1970-01-01T00:00:00Z" });
  expect(faults).toEqual(["since: a time from 1970 on"]);
  expect(Cursor.safeParse({ received: "0000-01-01T00:00:00Z", trail: 1, index: 0 }).success).toBe(false);
});

test("any URL is read without throwing, and gives a filter that is valid", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("kind", "text", "severity", "guest", "x"), fc.string())), (pairs) => {
      expect(Filter.safeParse(readFilter(new URLSearchParams(pairs)).filter).success).toBe(true);
    }),
  );
});

test.each([
  ["kind:usb.scan", { field: "kind", value: "usb.scan" }],
  ["-kind:guest.log", { field: "notKind", value: "guest.log" }],
  ["severity:error", { field: "severity", value: "error" }],
  ["guest:win11", { field: "guest", value: "win11" }],
  ['"two words"', { field: "text", value: "two words" }],
  ["sshd", { field: "text", value: "sshd" }],
  ["http://x/kind:a.b c", { field: "text", value: "http://x/kind:a.b c" }],
])("%s typed into the bar", (typed, wanted) => expect(readWord(typed)).toEqual(wanted));

test("a word that names a field but no value of it is told, not searched for", () => {
  expect(readWord("severity:dreadful")).toHaveProperty("fault");
  expect(readWord("-severity:error")).toHaveProperty("fault");
});

test("each chip taken away again leaves what was there before", () => {
  const start: Filter = { kind: ["usb.scan"], severity: "error" };
  const more = adding(adding(start, "text", "a"), "kind", "guest.log");
  const added = chips(more).filter(({ value }) => value === "a" || value === "guest.log");
  expect(added.reduce(without, more)).toEqual(start);
  expect(adding(more, "text", "a")).toBe(more);
});
