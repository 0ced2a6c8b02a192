/** What a form of the policy has: read from the document's own JSON Schema, so that a setting is described once. Pure. */
import { policyJsonSchema, SECTIONS, type SectionName } from "./policy.ts";

/** `key` is the setting's name in its map. `isOptional`: it may be left out and then means nothing at all. */
type Named = { key: string; isOptional: boolean };
export type Field = Named &
  (
    | { kind: "choice"; choices: string[]; fallback: unknown }
    | { kind: "number"; least: number | undefined; most: number | undefined; isNullable: boolean; fallback: unknown }
    | { kind: "switch"; fallback: unknown }
    | { kind: "text"; charsMax: number | undefined; fallback: unknown }
    /** A list of words of its own: `choices` where they are few and known. */
    | { kind: "words"; choices: string[] | undefined; fallback: unknown }
    /** An ordered list of whole lines. */
    | { kind: "lines"; fallback: unknown }
    /** A list of maps. */
    | { kind: "rows"; fields: Field[]; fallback: unknown }
    /** A map within the map. */
    | { kind: "map"; fields: Field[] }
  );
export type Section = { name: SectionName; fields: Field[] };

type Schema = {
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
};

/** A line this long is no word to be put between commas. */
const LINE_CHARS = 1024;

export function policyForm(): Section[] {
  const { properties } = policyJsonSchema() as Schema;
  return SECTIONS.map((name) => ({ name, fields: fieldsOf(properties?.[name] ?? {}) }));
}

function fieldsOf({ properties = {}, required = [] }: Schema): Field[] {
  return Object.entries(properties).map(([key, schema]) => fieldOf(key, schema, required.includes(key)));
}

function fieldOf(key: string, written: Schema, isRequired: boolean): Field {
  const kinds = (written.anyOf ?? [written]).filter(({ type }) => type !== "null");
  const isNullable = kinds.length < (written.anyOf?.length ?? 1);
  const schema = kinds[0] ?? {};
  const fallback = written.default ?? schema.default;
  const named = { key, isOptional: fallback === undefined && !isRequired };
  if (schema.type === "object") return { ...named, kind: "map", fields: fieldsOf(schema) };
  if (schema.type === "array") return listOf(named, schema.items ?? {}, fallback);
  if (schema.enum) return { ...named, kind: "choice", choices: schema.enum.map(String), fallback };
  if (schema.type === "boolean") return { ...named, kind: "switch", fallback };
  if (schema.type === "integer" || schema.type === "number")
    return { ...named, kind: "number", least: schema.minimum, most: schema.maximum, isNullable, fallback };
  return { ...named, kind: "text", charsMax: schema.maxLength, fallback };
}

function listOf(named: Named, written: Schema, fallback: unknown): Field {
  const item = written.anyOf?.[0] ?? written;
  if (item.type === "object") return { ...named, kind: "rows", fields: fieldsOf(item), fallback };
  if ((item.maxLength ?? 0) >= LINE_CHARS) return { ...named, kind: "lines", fallback };
  return { ...named, kind: "words", choices: item.enum?.map(String), fallback };
}

/** What a new row of a list begins with: what must be there, said as little as it can be. */
export function emptyRow(fields: readonly Field[]): Record<string, unknown> {
  return Object.fromEntries(
    fields
      .filter((field) => !field.isOptional && !("fallback" in field && field.fallback !== undefined))
      .map((field) => [
        field.key,
        field.kind === "choice" ? field.choices.at(-1) : field.kind === "number" ? (field.least ?? 0) : "",
      ]),
  );
}
