/** What Explore shows: the same filter in the URL, in the chips and in the query. Pure. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { issueWords } from "@sallyport/shared/base/issue.ts";
import { Severity } from "@sallyport/shared/record/severity.ts";
import { z } from "zod";

const VALUES_MAX = 20;
const kind = z
  .string()
  .regex(/^[a-z]{2,16}\.([a-z-]{2,32}|\*)$/, "a kind reads noun.what, or noun.* for all of a noun");
const list = <T extends z.ZodType>(each: T) => z.array(each).max(VALUES_MAX);

/** Postgres has no year 0000, and no record is from before 1970. */
export const Moment = z.iso.datetime().refine((at) => at >= "1970", "a time from 1970 on");

export const Filter = z.object({
  kind: list(kind).optional(),
  notKind: list(kind).optional(),
  /** This severity or worse. */
  severity: Severity.optional(),
  workstation: list(WorkstationId).optional(),
  guest: list(z.string().min(1).max(64)).optional(),
  /** Each must appear in the record's line. */
  text: list(z.string().min(1).max(200)).optional(),
  since: Moment.optional(),
  until: Moment.optional(),
});
export type Filter = z.infer<typeof Filter>;

const LISTS = ["kind", "notKind", "workstation", "guest", "text"] as const;
const SINGLES = ["severity", "since", "until"] as const;
export type Field = (typeof LISTS)[number] | (typeof SINGLES)[number];

export type Read = { filter: Filter; faults: string[] };

/** From a URL: what cannot be read is left out and told. */
export function readFilter(search: URLSearchParams): Read {
  const filter: Record<string, unknown> = {};
  const faults: string[] = [];
  const keep = (field: Field, value: unknown) => {
    const read = Filter.safeParse({ [field]: value });
    if (read.success) filter[field] = value;
    else faults.push(`${field}: ${read.error.issues.slice(0, 1).map(issueWords)}`);
  };
  for (const field of LISTS) {
    const values = search.getAll(field);
    if (values.length > 0) keep(field, values);
  }
  for (const field of SINGLES) {
    const value = search.get(field);
    if (value !== null) keep(field, value);
  }
  return { filter: Filter.parse(filter), faults };
}

export function writeFilter(filter: Filter): string {
  const search = new URLSearchParams();
  for (const field of LISTS) for (const value of filter[field] ?? []) search.append(field, value);
  for (const field of SINGLES) if (filter[field] !== undefined) search.set(field, filter[field]);
  return search.toString();
}

export type Chip = { field: Field; value: string; not: boolean };

export function chips(filter: Filter): Chip[] {
  return [
    ...SINGLES.flatMap((field): Chip[] => (filter[field] ? [{ field, value: filter[field], not: false }] : [])),
    ...LISTS.flatMap((field) =>
      (filter[field] ?? []).map((value): Chip => ({ field, value, not: field === "notKind" })),
    ),
  ];
}

export function without(filter: Filter, chip: Chip): Filter {
  const { [chip.field]: found, ...rest } = filter;
  if (!Array.isArray(found)) return rest;
  const left = found.filter((value) => value !== chip.value);
  return left.length > 0 ? ({ ...rest, [chip.field]: left } as Filter) : rest;
}

export function adding(filter: Filter, field: Field, value: string): Filter {
  if (field === "severity" || field === "since" || field === "until") return { ...filter, [field]: value } as Filter;
  const present: string[] = filter[field] ?? [];
  return present.includes(value) ? filter : ({ ...filter, [field]: [...present, value] } as Filter);
}

const FIELDS = ["kind", "-kind", "severity", "workstation", "guest", "since", "until"];

/** One word typed into the bar: `kind:usb.scan`, `-kind:guest.log`, `severity:warning`, else a text to find. */
export function readWord(typed: string): { field: Field; value: string } | { fault: string } {
  const word = typed.trim();
  const found = /^(-?)(kind|severity|guest|since|until|workstation):(\S+)$/.exec(word);
  if (!found) return { field: "text", value: word.replace(/^"(.*)"$/s, "$1") };
  const [, not, name, value] = found as unknown as [string, string, string, string];
  if (not && name !== "kind") return { fault: `${name} cannot be turned around; only -kind: can` };
  const field = not ? "notKind" : (name as Field);
  const wanted = field === "severity" || field === "since" || field === "until" ? value : [value];
  const read = Filter.safeParse({ [field]: wanted });
  return read.success ? { field, value } : { fault: `${name}: ${read.error.issues.slice(0, 1).map(issueWords)}` };
}

const FIELD_LIKE = /^(-?)([a-z]{2,16}):\S/i;

/** Where nothing was found: which of the texts looked like more than a text. */
export function takenAsText({ text = [] }: Filter): string[] {
  return text.flatMap((each) => {
    const field = FIELD_LIKE.exec(each)?.[2];
    if (field !== undefined)
      return [`“${field}:” is no field: “${each}” was looked for as it stands. Fields are ${FIELDS.join(", ")}.`];
    if (/^-\S/.test(each))
      return [`A text cannot be left out, only a kind can: “${each}” was looked for as it stands.`];
    if (/\b(?:AND|OR|NOT)\b/.test(each))
      return [`“${each}” was looked for as it stands. Each text of its own must be there; there is no OR and no NOT.`];
    return [];
  });
}

/** Where a page ends: the key of its last row. */
export const Cursor = z.object({ received: Moment, trail: z.int(), index: z.int().min(0) });
export type Cursor = z.infer<typeof Cursor>;

/** Which record: its trail, as the store numbers it, and its place there. */
export const RecordAt = z.object({ trail: z.int().min(1).max(2_147_483_647), index: z.int().min(0) });
export type RecordAt = z.infer<typeof RecordAt>;
