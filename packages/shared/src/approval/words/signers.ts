/** Who signs for a group, and which keys are the console's: told to each workstation, said once for all of them. Pure. */
import type { z } from "zod";
import { fromBase64 } from "../../base/bytes.ts";
import { canonicalText } from "../../base/canonical.ts";
import type { Hash } from "../../base/crypto.ts";
import { fail, ok, type Result } from "../../base/result.ts";
import {
  approversNeeded,
  approversOf,
  CarriedKeys,
  consoleKeysOf,
  isAsStrict,
  Membership,
} from "../../policy/statement.ts";
import { keyId } from "../../trail/signed.ts";
import { exactOf, type Known, named, type Read, type Said, whole } from "./statement.ts";

/** Several that differ only in the workstation are said once. */
function perWorkstation<T extends { workstation?: string }>(
  read: Read[],
  schema: z.ZodType<T>,
  rest: (load: T) => unknown,
): Result<{ load: T; workstations: string[] }> {
  let first: T | undefined;
  const workstations: string[] = [];
  for (const { statement, carried } of read) {
    const load = whole(schema, carried);
    if (!load.ok) return load;
    const audience = statement.audience;
    if (!("workstation" in audience)) return fail("it is for no workstation by name");
    if (load.value.workstation !== undefined && load.value.workstation !== audience.workstation)
      return fail(`it is meant for ${audience.workstation} and speaks of ${load.value.workstation}`);
    first ??= load.value;
    if (canonicalText(rest(load.value)) !== canonicalText(rest(first)))
      return fail("its statements say different things of different workstations");
    workstations.push(audience.workstation);
  }
  return ok({ load: first!, workstations });
}

const listed = (known: Known, workstations: string[]): string =>
  workstations.length === 1
    ? `workstation ${named(known, workstations[0]!)}`
    : `${workstations.length} workstations (${workstations
        .slice(0, 8)
        .map((id) => named(known, id))
        .join(", ")}${workstations.length > 8 ? ", …" : ""})`;

export function sayMemberships(hash: Hash, read: Read[], known: Known): Result<Said> {
  const found = perWorkstation(read, Membership, ({ workstation, ...rest }) => rest);
  if (!found.ok) return found;
  const { group, groupName, signers } = found.value.load;
  const isMove = known.group !== undefined && known.group !== group;
  const people = approversOf(signers.keys);
  const needed = approversNeeded(signers);
  const console = consoleKeysOf(signers.keys);
  const looser: string[] = [];
  const other: string[] = [];
  const keyWords = (key: string) => {
    const id = keyId(hash, fromBase64(key));
    return known.names?.[key] ? `${id} (called ${known.names[key]})` : id;
  };
  if (known.signers) {
    const before = new Set(approversOf(known.signers.keys));
    if (!isAsStrict(known.signers, signers))
      looser.push(
        `people who may not sign now could sign alone, or fewer must: until now ${approversNeeded(known.signers)} of ${before.size}, then ${needed} of ${people.length}`,
      );
    for (const key of people) if (!before.has(key)) looser.push(`a new approver: ${keyWords(key)}`);
    for (const key of before) if (!people.includes(key)) other.push(`No approver any more: ${keyWords(key)}.`);
    const keys = new Set(consoleKeysOf(known.signers.keys));
    for (const key of console) if (!keys.has(key)) looser.push(`another key of the console: ${keyWords(key)}`);
  }
  if (isMove) looser.push(`another group decides from then on, with its own policy and its own approvers`);
  if (needed < 1) looser.push("the console's key alone decides from then on");
  if (console.length === 0) other.push("The console's own key is not among the signers.");
  other.push(
    `${Math.max(needed, 0)} of ${people.length} approvers must sign from then on: ${people.map(keyWords).join(", ") || "nobody"}.`,
  );
  const head = isMove
    ? `Moves ${listed(known, found.value.workstations)} to group ${group} (called ${groupName})`
    : `Changes who signs for group ${group} (called ${groupName}), on ${listed(known, found.value.workstations)}`;
  return ok({ head, destroys: [], looser, other, exact: read.map(exactOf) });
}

export function sayKeys(hash: Hash, read: Read[], known: Known): Result<Said> {
  const found = perWorkstation(read, CarriedKeys as z.ZodType<CarriedKeys & { workstation?: string }>, (load) => load);
  if (!found.ok) return found;
  const { consoleKeys, cas } = found.value.load;
  const ids = consoleKeys.map((key) => keyId(hash, fromBase64(key)));
  const before = known.signers && new Set(consoleKeysOf(known.signers.keys));
  const looser = consoleKeys
    .filter((key) => !before?.has(key))
    .map((key) => `a new key of the console: ${keyId(hash, fromBase64(key))}`);
  const other = [`From then on the console's keys are ${ids.join(" and ")}; any other is no longer believed.`];
  if (cas.length > 0) other.push(`${cas.length} certificate authorities come beside the one they enrolled with.`);
  const head = `Names the console's keys on ${listed(known, found.value.workstations)}`;
  return ok({
    head,
    destroys: [],
    looser,
    other,
    exact: [...consoleKeys.map((key) => `key ${key}`), ...read.map(exactOf)],
  });
}
