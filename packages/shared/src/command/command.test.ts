import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toBase64 } from "../base/bytes.ts";
import { type SignedStatement, type Signers, signStatement } from "../policy/statement.ts";
import { type Trust, verifyStatement } from "../policy/verify.ts";
import { keyId } from "../trail/signed.ts";
import { Command, faultOfCommand, mayConsoleAlone } from "./command.ts";
import { inForce, isolate } from "./isolation.ts";
import { VERB_RULES, VERBS, type Verb } from "./verb.ts";

const [consoleKey, anna, ben, thief] = [newSigner(), newSigner(), newSigner(), newSigner()];
const workstation = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as Trust["workstation"];
const group = "11111111-2222-4333-8444-555555555555" as Trust["group"];
const ISSUED = "2026-11-24T08:00:00.000Z";
const NOT_AFTER = "2026-11-24T09:00:00.000Z";
const now = Date.parse("2026-11-24T08:30:00Z");
const signers: Signers = {
  threshold: 2,
  keys: [consoleKey, anna, ben].map((key) => ({
    id: keyId(hash, key.publicKey),
    publicKey: toBase64(key.publicKey),
    role: key === consoleKey ? "console" : "approver",
  })),
};
const trust: Trust = { workstation, group, signers, orders: {}, now };

const ID = "aaaaaaaa-1111-4111-8111-111111111111";
const ARGUMENTS: Record<Verb, object> = {
  isolate: { until: "2026-11-25T08:00:00.000Z" },
  release: {},
  pause: { guest: "work" },
  resume: { guest: "work" },
  "destroy-guest": { guest: "work" },
  rescan: {},
  diagnostics: {},
  wipe: { volume: "01234567-89ab-cdef-0123-456789abcdef" },
  "start-guest": { guest: "work" },
};
const carried = (verb: Verb, over: object = {}) => ({
  id: ID,
  verb,
  arguments: ARGUMENTS[verb],
  notAfter: NOT_AFTER,
  ...over,
});
const order = (load: unknown, keys = [consoleKey], over: object = {}): SignedStatement =>
  signStatement(
    hash,
    keys,
    { type: "command", audience: { workstation }, order: 1, issued: ISSUED, notAfter: NOT_AFTER, ...over } as never,
    load,
  );
const answer = (signed: unknown, of = trust) => {
  const got = verifyStatement(hash, verify, of, signed);
  return got.ok ? "taken" : got.error.code;
};

describe("under a threshold of two, a workstation", () => {
  it.each(VERBS.map((verb) => [verb, VERB_RULES[verb].signers] as const))(
    "asked by the console's key alone to %s: enough is %s",
    (verb, enough) => {
      expect(answer(order(carried(verb)))).toBe(enough === "console" ? "taken" : "signatures");
      expect(answer(order(carried(verb), [consoleKey, anna]))).toBe("taken");
      expect(answer(order(carried(verb), [anna, ben]))).toBe("taken");
      expect(answer(order(carried(verb), [thief]))).toBe("signatures");
    },
  );

  it.each<[string, SignedStatement, Trust, string]>([
    [
      "is not wiped by a console that signs twice",
      order(carried("wipe"), [consoleKey, consoleKey]),
      trust,
      "signatures",
    ],
    ["is not wiped by a console and a stranger", order(carried("wipe"), [consoleKey, thief]), trust, "signatures"],
    [
      "is not wiped by a wipe that calls itself diagnostics",
      order({ ...carried("diagnostics"), arguments: ARGUMENTS.wipe }),
      trust,
      "signatures",
    ],
    ["asks for two keys where it cannot read the verb", order(carried("format" as Verb)), trust, "signatures"],
    [
      "refuses an old order that is sent again",
      order(carried("wipe"), [anna, ben]),
      { ...trust, orders: { [`command/workstation/${workstation}`]: 1 } },
      "old-order",
    ],
    [
      "refuses an order that has expired by the time it knows for certain",
      order(carried("wipe"), [anna, ben]),
      { ...trust, now: Date.parse(NOT_AFTER) },
      "expired",
    ],
    [
      "refuses another workstation's order",
      order(carried("wipe"), [anna, ben], { audience: { workstation: workstation.replace("3f", "4f") } }),
      trust,
      "audience",
    ],
    [
      "refuses another group's order",
      order(carried("wipe"), [anna, ben], { audience: { group: group.replace("1111", "9999") } }),
      trust,
      "audience",
    ],
  ])("%s", (_name, signed, of, wanted) => expect(answer(signed, of)).toBe(wanted));
});

describe("an order whose signatures hold", () => {
  const statement = (over: object = {}) =>
    JSON.parse(order({}, [consoleKey], over).text) as Parameters<typeof faultOfCommand>[0];
  it.each<[string, object, unknown, string | undefined]>([
    ["is taken as it should be", {}, carried("wipe"), undefined],
    ["is refused for a whole group", { audience: { group } }, carried("wipe"), "for one workstation"],
    ["is refused for the fleet", { audience: { fleet: true } }, carried("isolate"), "for one workstation"],
    ["is refused without an expiry", { notAfter: undefined }, carried("wipe"), "expire together"],
    ["is refused with two of them", { notAfter: "2026-11-24T09:00:00.001Z" }, carried("wipe"), "expire together"],
    [
      "is refused where it would live too long",
      { notAfter: "2026-12-24T09:00:00.000Z" },
      carried("wipe", { notAfter: "2026-12-24T09:00:00.000Z" }),
      "at most 7 days",
    ],
    [
      "is refused where it isolates for too long",
      {},
      carried("isolate", { arguments: { until: "2027-11-24T09:00:00.000Z" } }),
      "lasts at most 7 days",
    ],
    ["is refused with an argument it does not know", {}, carried("rescan", { arguments: { deep: true } }), "deep"],
    ["is refused with an unknown verb", {}, carried("format" as Verb), "verb"],
    ["is refused where it wipes no volume by name", {}, carried("wipe", { arguments: {} }), "volume"],
    ["is refused where it is nothing", {}, null, "expected object"],
  ])("%s", (_name, over, load, words) => {
    const fault = faultOfCommand(statement(over), load);
    if (words === undefined) expect(fault).toBeUndefined();
    else expect(fault?.reason).toContain(words);
  });
});

describe("what each verb needs", () => {
  it("is a responder for what passes, an admin for what destroys", () => {
    for (const verb of VERBS)
      expect(VERB_RULES[verb].role).toBe(VERB_RULES[verb].isDestructive ? "admin" : "responder");
  });
  it("is the threshold for all that destroys or gives back", () => {
    const alone = VERBS.filter((verb) => VERB_RULES[verb].signers === "console");
    expect(alone).toEqual(["isolate", "rescan", "diagnostics"]);
  });
  it("has an inverse that is taken back by itself; only a wipe is for good", () => {
    for (const verb of VERBS) {
      const { inverse } = VERB_RULES[verb];
      if (inverse) expect(VERB_RULES[inverse].inverse).toBe(verb);
    }
    expect(VERBS.filter((verb) => VERB_RULES[verb].inverse === undefined)).toEqual(["rescan", "diagnostics", "wipe"]);
  });
});

describe("an isolation", () => {
  const cut = (until: string) => ({ until, command: ID as never });
  const [early, late] = [cut("2026-11-24T10:00:00.000Z"), cut("2026-11-24T12:00:00.000Z")];
  it("is only ever lengthened by another", () => {
    expect(isolate(undefined, early)).toBe(early);
    expect(isolate(early, late)).toBe(late);
    expect(isolate(late, early)).toBe(late);
  });
  it.each([
    ["holds before its end", -1, -1, true],
    ["has ended when both clocks say so", 0, 0, false],
    ["holds where dom0's clock was set forward", -1, 999_999_999, true],
    ["holds where dom0's clock lags behind what is certain", 0, -1, true],
  ])("%s", (_name, floor, own, holds) => {
    const end = Date.parse(early.until);
    expect(inForce(early, end + floor, end + own) !== undefined).toBe(holds);
  });
});

describe("what is no command", () => {
  it("is never taken for one that the console's key alone may send", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(mayConsoleAlone(value)).toBe(false);
      }),
    );
  });
  it("is refused with words, whatever is changed in one", () => {
    const verbs = fc.constantFrom(...VERBS);
    const keys = fc.constantFrom("id", "verb", "arguments", "notAfter", "more");
    fc.assert(
      fc.property(verbs, keys, fc.jsonValue(), (verb, key, value) => {
        const whole = carried(verb) as Record<string, unknown>;
        fc.pre(!JSON.stringify(value).includes("__proto__"));
        const changed = { ...whole, [key]: value };
        const same = JSON.stringify(changed[key]) === JSON.stringify(whole[key]);
        const read = Command.safeParse(changed);
        if (!same && key !== "verb") expect(read.success).toBe(false);
      }),
    );
  });
});

type Golden = { keys: string[]; workstation: Trust["workstation"]; statements: SignedStatement[] };
const readGolden = (name: string) =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8")) as Golden;

// a verb that came later has a file of its own
it.each([
  ["command-1", VERBS.slice(0, 8)],
  ["command-1-start-guest", ["start-guest"]],
])("version 1 of a command, for ever: %s", (name, verbs) => {
  const golden = readGolden(name);
  const believed: Trust = {
    workstation: golden.workstation,
    group,
    orders: {},
    now,
    signers: {
      threshold: 2,
      keys: golden.keys.map((publicKey) => ({
        id: keyId(hash, Buffer.from(publicKey, "base64")),
        publicKey,
        role: "approver",
      })),
    },
  };
  const found = golden.statements.map((statement) => {
    const got = verifyStatement(hash, verify, believed, statement);
    if (!got.ok) throw new Error(got.error.reason);
    expect(faultOfCommand(got.value.statement, got.value.carried)).toBeUndefined();
    return Command.parse(got.value.carried).verb;
  });
  expect(found).toEqual(verbs);
});
