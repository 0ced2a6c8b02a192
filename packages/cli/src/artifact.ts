/** Rule sets and definitions for the fleet, from a shell or a pipeline: added, listed, removed through the console's API. */
import { openAsBlob, statSync } from "node:fs";
import { basename } from "node:path";
import { type ArtifactKind, ArtifactRow, DefinitionsName } from "@sallyport/shared/artifact/artifact.ts";
import { isAnswer, whyNot } from "@sallyport/shared/base/why.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { askConsole, exchange, type Reach } from "./reach.ts";

const PATH = "/api/artifact";
const Added = ArtifactRow.extend({ known: z.boolean() });

export type Said = { value: unknown; text: string };

/** What a file is by its name. @throws Fault where it is neither */
export function kindOf(name: string): ArtifactKind {
  if (/\.(?:rules|tar|tar\.gz|tgz)$/.test(name)) return "suricata-rules";
  if (DefinitionsName.safeParse(name).success) return "clamav-definitions";
  throw new Fault(
    `${name} is neither a rule set (.rules, or a .tar.gz of such files) nor a database that clamd knows (daily.cvd, site.hdb, …): give --name.`,
  );
}

/** @throws Fault */
export async function addArtifact(reach: Reach, file: string, name = basename(file)): Promise<Said> {
  const kind = kindOf(name);
  let body: Blob;
  try {
    if (!statSync(file).isFile()) throw new Fault(`${file} is no plain file.`);
    body = await openAsBlob(file);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    throw new Fault(`${file} cannot be read: ${whyNot(error)}.`, 1, { cause: error });
  }
  const asked = new URLSearchParams({ kind, name });
  const added = Added.parse(await exchange(reach, `${PATH}?${asked}`, { method: "POST", body }));
  const policy =
    kind === "suricata-rules"
      ? `ids:\n  rules: ${added.sha256}`
      : `usb:\n  definitions:\n    - { name: ${added.name}, sha256: ${added.sha256} }`;
  const head = `${added.known ? "Already there" : "Added"}: ${wordsOf(added)}`;
  return { value: added, text: `${head}\n\nIt comes into force where a policy names it:\n${policy}` };
}

/** @throws Fault */
export async function listArtifacts(reach: Reach): Promise<Said> {
  const rows = z.array(ArtifactRow).parse(await askConsole(reach, PATH));
  const text = rows.length === 0 ? "There is none." : rows.map((row) => `${row.sha256}  ${wordsOf(row)}`).join("\n");
  return { value: rows, text };
}

/** @throws Fault (exit code 3) where a policy names it */
export async function removeArtifact(reach: Reach, sha256: string): Promise<Said> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Fault(`"${sha256}" is no sha256: 64 lower-case hex digits.`);
  const removed = ArtifactRow.omit({ groups: true }).parse(
    await exchange(reach, `${PATH}/${sha256}`, { method: "DELETE" }),
  );
  return { value: removed, text: `Removed ${removed.name}.` };
}

function wordsOf({ kind, name, bytes, facts, groups }: ArtifactRow): string {
  const { rules, signatures, version, made } = facts;
  return [
    `${name} (${kind}, ${bytes} bytes)`,
    ...(rules === undefined ? [] : [`${rules} rules`]),
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(made === undefined ? [] : [`of ${made.slice(0, 10)}`]),
    ...(signatures === undefined ? [] : [`${signatures} signatures`]),
    groups.length > 0 ? `named by the policy of ${groups.join(", ")}` : "named by no policy",
  ].join(", ");
}
