import { expect, test } from "vitest";
import { type Field, policyForm } from "./form.ts";
import { Policy, SECTIONS } from "./policy.ts";

const leaves = (fields: readonly Field[], path: string): [string, Field][] =>
  fields.flatMap((field) =>
    field.kind === "map"
      ? leaves(field.fields, `${path}.${field.key}`)
      : [[`${path}.${field.key}`, field] as [string, Field]],
  );

test("every setting that the policy has is a field of the form, with the default that the policy gives it", () => {
  const strict = Policy.parse({});
  const all = new Map(policyForm().flatMap(({ name, fields }) => leaves(fields, name)));
  const settings = (value: unknown, path: string): [string, unknown][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, each]) => settings(each, path ? `${path}.${key}` : key))
      : [[path, value]];
  for (const [path, value] of settings(Object.fromEntries(SECTIONS.map((name) => [name, strict[name]])), "")) {
    const field = all.get(path);
    expect(field, path).toBeDefined();
    expect((field as { fallback: unknown }).fallback, path).toEqual(value);
  }
});

test("what a field is comes from what may be written there", () => {
  const all = new Map(policyForm().flatMap(({ name, fields }) => leaves(fields, name)));
  expect(all.get("usb.unscannable")).toMatchObject({ kind: "choice", choices: ["block", "hold", "allow"] });
  expect(all.get("usb.deviceRules")).toMatchObject({ kind: "lines" });
  expect(all.get("usb.denySha256")).toMatchObject({ kind: "words" });
  expect(all.get("usb.definitionsDaysMax")).toMatchObject({ kind: "number", isNullable: true, least: 1 });
  expect(all.get("disk.tpm2")).toMatchObject({ kind: "switch", isOptional: true });
  expect(all.get("network.rules")).toMatchObject({ kind: "rows" });
  const rules = all.get("network.rules") as Extract<Field, { kind: "rows" }>;
  expect(rules.fields.find(({ key }) => key === "during")).toMatchObject({ kind: "rows", isOptional: true });
  expect(rules.fields.find(({ key }) => key === "to")).toMatchObject({ kind: "text", isOptional: true });
});
