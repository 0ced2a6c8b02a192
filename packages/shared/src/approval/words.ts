/** Statements → what they do, in words, from their own text alone: what an approver reads before signing, and what the
 *  console's page shows. What cannot be said whole is not to be signed. Pure. */
import { z } from "zod";
import { fromBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { unreachable } from "../base/unreachable.ts";
import { Command, type CommandOf, faultOfCommand } from "../command/command.ts";
import { VERB_RULES, type Verb } from "../command/verb.ts";
import { cutOffWords } from "../policy/cut-off.ts";
import { summariseDiff } from "../policy/diff/summary.ts";
import { diffPolicy } from "../policy/diff.ts";
import { carriedDigest, Policy } from "../policy/policy.ts";
import {
  approversNeeded,
  approversOf,
  CARRIED_CHARS_MAX,
  CarriedKeys,
  CarriedPolicy,
  consoleKeysOf,
  isAsStrict,
  Membership,
  type SignedStatement,
  type Signers,
  STATEMENT_CHARS_MAX,
  Statement,
} from "../policy/statement.ts";
import { audienceKey } from "../policy/verify.ts";
import { keyId } from "../trail/signed.ts";
import { CarriedException, handsOver } from "../usb/exception.ts";

/** What the reader knows beside the text. `names` are claims of whoever gives them. */
export type Known = {
  /** Compared with each, since it may not be certain which is in force; the strict defaults where there is none. `words` say
   *  where it is from. */
  policies?: readonly Revision[];
  /** Who may sign until now, where known. */
  signers?: Signers;
  group?: string;
  names?: Readonly<Record<string, string>>;
};

export type Revision = { policy: Policy; words: string };

/** `looser` are what a person should look at first, `destroys` what nothing brings back; `exact` name digests and orders. */
export type Said = { head: string; destroys: string[]; looser: string[]; other: string[]; exact: string[] };

type Read = { statement: Statement; carried: unknown };
const CHANGES_MAX = 500;

/** All that one signature of an approver would cover. The error says what cannot be said of it. */
export function sayStatements(hash: Hash, signed: readonly SignedStatement[], known: Known = {}): Result<Said> {
  const read: Read[] = [];
  for (const [at, each] of signed.entries()) {
    const one = readStatement(hash, each);
    if (!one.ok) return fail(`statement ${at + 1} of ${signed.length}: ${one.error}`);
    read.push(one.value);
  }
  const [first] = read;
  if (!first) return fail("it holds no statement");
  if (read.some(({ statement }) => statement.type !== first.statement.type))
    return fail("it mixes statements of several types");
  switch (first.statement.type) {
    case "policy":
      return sayPolicies(hash, read, known);
    case "membership":
      return sayMemberships(hash, read, known);
    case "keys":
      return sayKeys(hash, read, known);
    case "exception":
    case "command":
      if (read.length > 1) return fail("it holds more than one of a kind that is signed one by one");
      return first.statement.type === "command" ? sayCommand(first, known) : sayException(first, known);
    case "overlay":
      return fail("a deny overlay needs no person's signature");
    case "revocation":
      return fail("a revocation needs no person's signature");
    default:
      return unreachable(first.statement.type);
  }
}

function readStatement(hash: Hash, { text, carried }: SignedStatement): Result<Read> {
  const json = readJson(text, STATEMENT_CHARS_MAX);
  if (!json.ok) return json;
  const statement = whole(Statement, json.value);
  if (!statement.ok) return statement;
  if (toHex(hash(toUtf8(carried))) !== statement.value.digest) return fail("what it carries is not what it names");
  const load = readJson(carried, CARRIED_CHARS_MAX);
  return load.ok ? ok({ statement: statement.value, carried: load.value }) : load;
}

/** A member that this version does not know may mean something to a workstation that does. */
function whole<T>(schema: z.ZodType<T>, value: unknown): Result<T> {
  const read = schema.safeParse(value);
  if (!read.success) return fail(z.prettifyError(read.error));
  return canonicalText(read.data) === canonicalText(value)
    ? ok(read.data)
    : fail("it says more than this version knows; upgrade before you sign it");
}

const named = (known: Known, id: string): string => (known.names?.[id] ? `${id} (called ${known.names[id]})` : id);
const until = ({ notAfter }: Statement): string[] => (notAfter === undefined ? [] : [`Valid until ${notAfter}.`]);
const exactOf = ({ statement }: Read): string =>
  `${statement.type} ${audienceKey(statement.audience)}, order ${statement.order}, sha256 ${statement.digest}`;

function sayPolicies(hash: Hash, read: Read[], known: Known): Result<Said> {
  const policies: { policy: Policy; digest: string; group: string; statement: Statement }[] = [];
  for (const { statement, carried } of read) {
    const load = CarriedPolicy.safeParse(carried);
    if (!load.success) return fail(z.prettifyError(load.error));
    const { group, digest, policy: untrusted } = load.data;
    if (Object.keys(carried as object).length !== 3) return fail("it says more than this version knows");
    const policy = Policy.safeParse(untrusted);
    if (!policy.success) return fail(`the policy in it: ${z.prettifyError(policy.error)}`);
    if (carriedDigest(hash, untrusted) !== digest) return fail("the policy in it is not the revision it is called");
    const audience = audienceKey(statement.audience);
    if (audience !== `group/${group}`) return fail(`a policy of group ${group} that is meant for ${audience}`);
    if (known.group !== undefined && group !== known.group)
      return fail(`a policy of group ${group}, handed over as one of group ${known.group}`);
    policies.push({ policy: policy.data, digest, group, statement });
  }
  const [next, back, more] = policies;
  if (!next || more) return fail("it holds more policies than one and what an abort goes back to");
  if (back && back.digest !== next.statement.fallback)
    return fail("the second policy in it is not the one that the first names as its fallback");
  const defaults = { policy: Policy.parse({}), words: "the strict defaults (nothing else is known)" };
  const befores = known.policies && known.policies.length > 0 ? known.policies : [defaults];
  const looser: string[] = [];
  const other: string[] = [];
  for (const before of befores) {
    const against = befores.length > 1 ? `against ${before.words}: ` : "";
    const said = changes(before.policy, next.policy);
    looser.push(...said.looser.map((words) => against + words));
    const cutOff = cutOffWords(before.policy, next.policy);
    other.push(`Compared with ${before.words}: ${said.summary}`);
    other.push(...[...cutOff, ...said.other].map((words) => against + words));
    if (!back) continue;
    const undone = changes(before.policy, back.policy);
    looser.push(...undone.looser.map((words) => `${against}after an abort: ${words}`));
    other.push(
      `${against && `${against.slice(0, -2)}, `}if the rollout is aborted, the group goes back to revision ${back.digest.slice(0, 12)}: ${undone.summary}`,
    );
  }
  const head = `${back ? "A rollout of" : "A"} policy for group ${named(known, next.group)}, revision ${next.digest.slice(0, 12)} (r${next.statement.order})`;
  other.push(...until(next.statement));
  return ok({ head, destroys: [], looser, other, exact: [`revision ${next.digest}`, ...read.map(exactOf)] });
}

function changes(before: Policy, after: Policy): { looser: string[]; other: string[]; summary: string } {
  const all = diffPolicy(before, after);
  const isLooser = (effect: string) => effect === "removed" || effect === "looser";
  const say = ({ section, effect, words }: (typeof all)[number]) => `${section}, ${effect}: ${words}`;
  const cut = (lines: string[]) =>
    lines.length > CHANGES_MAX ? [...lines.slice(0, CHANGES_MAX), `and ${lines.length - CHANGES_MAX} more`] : lines;
  return {
    looser: cut(all.filter(({ effect }) => isLooser(effect)).map(say)),
    other: cut(all.filter(({ effect }) => !isLooser(effect)).map(say)),
    summary: summariseDiff(all),
  };
}

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

function sayMemberships(hash: Hash, read: Read[], known: Known): Result<Said> {
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

function sayKeys(hash: Hash, read: Read[], known: Known): Result<Said> {
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

function sayException(read: Read, known: Known): Result<Said> {
  const load = whole(CarriedException, read.carried);
  if (!load.ok) return load;
  const { workstation, descriptors, device, manifest, reason } = load.value;
  if (audienceKey(read.statement.audience) !== `workstation/${workstation}`)
    return fail(`it speaks of ${workstation} and is meant for ${audienceKey(read.statement.audience)}`);
  if (read.statement.notAfter === undefined) return fail("an exception that never ends");
  if (device === undefined) return fail("it does not say which stick: it would be for every one of its model");
  return ok({
    head: `Lets one stick pass on workstation ${named(known, workstation)} until ${read.statement.notAfter}`,
    destroys: [],
    looser: [
      "what its scan refuses or holds passes all the same, with exactly the contents of this manifest",
      `handed over is ${handsOver(load.value)}`,
    ],
    other: [`Why, as asked: ${reason}`],
    exact: [`device ${device}`, `descriptors ${descriptors}`, `manifest ${manifest}`, exactOf(read)],
  });
}

const TELLS: Record<Verb, (command: Command) => string> = {
  isolate: (command) => `to cut its guests' network until ${(command as CommandOf<"isolate">).arguments.until}`,
  release: () => "to end its isolation",
  pause: (command) => `to pause its guest ${(command as CommandOf<"pause">).arguments.guest}`,
  resume: (command) => `to let its guest ${(command as CommandOf<"resume">).arguments.guest} go on`,
  "destroy-guest": (command) => `to end its guest ${(command as CommandOf<"destroy-guest">).arguments.guest}`,
  rescan: () => "to scan the images it holds again",
  diagnostics: () => "to gather diagnostics",
  wipe: (command) => `to wipe its volume ${(command as CommandOf<"wipe">).arguments.volume}`,
  "start-guest": (command) => `to start its guest ${(command as CommandOf<"start-guest">).arguments.guest}`,
};

function sayCommand(read: Read, known: Known): Result<Said> {
  const load = whole(Command, read.carried);
  if (!load.ok) return load;
  const fault = faultOfCommand(read.statement, read.carried);
  if (fault) return fail(`the workstation would refuse it: ${fault.reason}`);
  const audience = read.statement.audience as { workstation: string };
  const { verb, notAfter, id } = load.value;
  const rule = VERB_RULES[verb];
  return ok({
    head: `Tells workstation ${named(known, audience.workstation)} ${TELLS[verb](load.value)}; not begun after ${notAfter}`,
    destroys: rule.isDestructive ? [rule.words] : [],
    looser: [],
    other: rule.isDestructive ? [] : [rule.words],
    exact: [`command ${id}`, exactOf(read)],
  });
}
