/** series and patches/ → the list of patches, with the header fields that each of them must have. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { PACKAGE } from "./upstream.ts";

export const FIELDS = ["Why", "Upstream", "Drop-when", "Proved-by"] as const;
export type Field = (typeof FIELDS)[number];

export type Patch = {
  name: string;
  file: string;
  subject: string;
  /** What stands between the subject and the fields: situation, reason, effect. */
  body: string;
  fields: Partial<Record<Field, string>>;
  signedOff: boolean;
  text: string;
};

/** Lines that are not comments, in order. */
export const namesOf = (series: string): string[] =>
  series.split("\n").flatMap((line) => (/^\s*(#|$)/.test(line) ? [] : [line.trim()]));

/** A patch in the form of `git format-patch`: mail headers, message, `---`, diff. */
export function parsePatch(name: string, file: string, text: string): Patch {
  const end = text.search(/^---$/m);
  const head = end < 0 ? "" : text.slice(0, end);
  const [mail = "", ...rest] = head.split("\n\n");
  const message = rest.join("\n\n");
  const subject = (/^Subject: (?:\[PATCH\] )?(.*(?:\n .*)*)/m.exec(mail)?.[1] ?? "").replace(/\n /g, " ");
  const fields: Patch["fields"] = {};
  for (const field of FIELDS) {
    const value = new RegExp(`^${field}: (.+)$`, "m").exec(message)?.[1];
    if (value !== undefined) fields[field] = value.trim();
  }
  const body = message.split(/^(?:Why|Upstream|Drop-when|Proved-by|Signed-off-by): /m)[0]!.trim();
  return { name, file, subject, body, fields, signedOff: /^Signed-off-by: .+ <.+@.+>$/m.test(message), text };
}

export async function loadSeries(): Promise<Patch[]> {
  const names = namesOf(await readFile(path.join(PACKAGE, "series"), "utf8"));
  return Promise.all(
    names.map(async (name) => {
      const file = path.join(PACKAGE, "patches", name);
      return parsePatch(name, file, await readFile(file, "utf8"));
    }),
  );
}

const SUBJECT_CHARACTERS_MAX = 75;
const BODY_CHARACTERS_MIN = 150;

/** What a maintainer would send back before reading the code; empty when there is nothing. */
export function complaints(patches: readonly Patch[], filesThere: readonly string[]): string[] {
  const found: string[] = [];
  const listed = new Set(patches.map((patch) => patch.name));
  for (const file of filesThere) if (!listed.has(file)) found.push(`${file}: lies in patches/ but not in series`);
  let last = "";
  for (const { name, subject, body, fields, signedOff, text } of patches) {
    const say = (what: string) => found.push(`${name}: ${what}`);
    if (!/^0[1-9]\d\d-[a-z0-9_-]+\.patch$/.test(name)) say("is not named <band><number>-<words>.patch");
    if (name <= last) say(`stands after ${last}, but is numbered before it`);
    last = name;
    if (!/^[a-z0-9/]+: [a-z]/.test(subject)) say("its subject is not `area: what it does`");
    if (subject.length > SUBJECT_CHARACTERS_MAX) say(`its subject is longer than ${SUBJECT_CHARACTERS_MAX} characters`);
    if (body.length < BODY_CHARACTERS_MIN) say("its body does not tell situation, reason and effect");
    for (const field of FIELDS) if (!fields[field]) say(`the header field ${field}: is missing`);
    if (!signedOff) say("Signed-off-by: is missing");
    let file = "";
    for (const line of text.split("\n")) {
      file = /^\+\+\+ b\/(\S+)/.exec(line)?.[1] ?? file;
      if (/^\+.*[ \t]$/.test(line)) say(`white space at the end of "${line.slice(0, 40)}"`);
      if (/^\+.*\t/.test(line) && /\.[chS]$/.test(file)) say(`a tab in "${line.slice(0, 40)}"`);
    }
  }
  return found;
}

export async function checkSeries(): Promise<{ patches: Patch[]; found: string[] }> {
  const patches = await loadSeries();
  return { patches, found: complaints(patches, await readdir(path.join(PACKAGE, "patches"))) };
}

export type Variant = "release" | "debug";

/** What a built hypervisor depends on, so that it is built once. */
export function digestOf(sha256s: readonly string[], patches: readonly Patch[], variant: Variant): string {
  const hash = createHash("sha256").update(JSON.stringify({ form: 2, sha256s, variant }));
  for (const patch of patches) hash.update(patch.text);
  return hash.digest("hex").slice(0, 16);
}
