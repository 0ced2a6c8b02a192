import { describe, expect, it } from "vitest";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toBase64 } from "../base/bytes.ts";
import { keyId } from "../trail/signed.ts";
import { Policy, policyDigest, policyJsonSchema } from "./policy.ts";
import { type SignedStatement, type Signers, signStatement } from "./statement.ts";
import { type Trust, verifyStatement } from "./verify.ts";

const [consoleKey, anna, ben, thief] = [newSigner(), newSigner(), newSigner(), newSigner()];
const workstation = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as Trust["workstation"];
const group = "11111111-2222-4333-8444-555555555555" as Trust["group"];
const otherGroup = "99999999-2222-4333-8444-555555555555" as Trust["group"];
const signersOf = (threshold: number, ...keys: ReturnType<typeof newSigner>[]): Signers => ({
  threshold,
  keys: keys.map((key) => ({
    id: keyId(hash, key.publicKey),
    publicKey: toBase64(key.publicKey),
    role: key === consoleKey ? "console" : "approver",
  })),
});
const now = Date.parse("2026-11-24T09:00:00Z");
const trust: Trust = { workstation, group, signers: signersOf(1, consoleKey), orders: {}, now };
const strict: Trust = { ...trust, signers: signersOf(2, consoleKey, anna, ben) };
const make = (over: object = {}, keys = [consoleKey], carried: unknown = { any: "thing" }) =>
  signStatement(
    hash,
    keys,
    { type: "policy", audience: { group }, order: 5, issued: "2026-11-24T08:00:00.000Z", ...over } as never,
    carried,
  );
const answer = (signed: unknown, of = trust) => {
  const got = verifyStatement(hash, verify, of, signed);
  return got.ok ? "taken" : got.error.code;
};
const tamper = (signed: SignedStatement, change: (text: string) => string) => ({
  ...signed,
  text: change(signed.text),
});

describe("a workstation", () => {
  it.each<[string, unknown, Trust, string]>([
    ["takes a newer policy of its group", make(), trust, "taken"],
    ["takes a statement for itself", make({ audience: { workstation } }), trust, "taken"],
    ["takes one for the whole fleet", make({ audience: { fleet: true } }), trust, "taken"],
    ["refuses another group's policy", make({ audience: { group: otherGroup } }), trust, "audience"],
    [
      "refuses another workstation's",
      make({ audience: { workstation: workstation.replace("3f", "4f") } }),
      trust,
      "audience",
    ],
    ["refuses a stranger's key", make({}, [thief]), trust, "signatures"],
    ["refuses the console alone where two must sign", make({}, [consoleKey]), strict, "signatures"],
    ["refuses one key that signs twice", make({}, [anna, anna]), strict, "signatures"],
    ["refuses one key and a stranger", make({}, [anna, thief]), strict, "signatures"],
    ["takes two of three", make({}, [ben, anna]), strict, "taken"],
    ["takes a deny overlay by the console alone", make({ type: "overlay" }), strict, "taken"],
    ["refuses an order it has taken", make(), { ...trust, orders: { [`policy/group/${group}`]: 5 } }, "old-order"],
    [
      "counts orders by type and audience apart",
      make(),
      { ...trust, orders: { [`overlay/group/${group}`]: 9, "policy/fleet": 9 } },
      "taken",
    ],
    ["refuses what is not valid yet", make({ notBefore: "2026-11-24T09:00:00.001Z" }), trust, "not-yet-valid"],
    ["refuses what is no longer valid", make({ notAfter: "2026-11-24T09:00:00.000Z" }), trust, "expired"],
    ["takes what was issued a day ahead of it", make({ issued: "2026-11-25T09:00:00.000Z" }), trust, "taken"],
    ["refuses what was issued further ahead", make({ issued: "2026-11-25T09:00:00.001Z" }), trust, "ahead"],
    [
      "refuses what was issued further ahead, whoever signed it",
      make({ issued: "2999-01-01T00:00:00.000Z", type: "overlay" }, [consoleKey, anna, ben]),
      strict,
      "ahead",
    ],
    [
      "measures that by the latest moment it has reason to believe",
      make({ issued: "2026-11-26T09:00:00.000Z" }),
      { ...trust, latest: now + 86_400_000 },
      "taken",
    ],
    ["refuses an order that would use up all there are", make({ order: 2 ** 53 - 1 }), trust, "ahead"],
    ["refuses it of people too", make({ order: 2 ** 53 - 1 }, [consoleKey, anna, ben]), strict, "ahead"],
    [
      "takes an order of the seconds of a week ahead",
      make({ order: Date.parse("2026-12-01T08:00:00Z") / 1000 }),
      trust,
      "taken",
    ],
    ["refuses a changed order", tamper(make(), (text) => text.replace('"order":5', '"order":6')), trust, "signatures"],
    ["refuses another load under the same signature", { ...make(), carried: '{"any":"other"}' }, trust, "digest"],
    ["refuses no statement at all", { text: "{}" }, trust, "malformed"],
    ["refuses a text that is no JSON", { ...make(), text: "{" }, trust, "malformed"],
    ["refuses null", null, trust, "malformed"],
  ])("%s", (_name, signed, of, wanted) => expect(answer(signed, of)).toBe(wanted));

  const overlay = (order: number, keys = [consoleKey]) => make({ type: "overlay", order }, keys);
  const name = `overlay/group/${group}`;
  const [first, second] = [consoleKey, anna].map(({ publicKey }) => `${name}/${keyId(hash, publicKey)}`);
  it("counts what one key may sign by that key", () => {
    expect(verifyStatement(hash, verify, strict, overlay(5))).toMatchObject({
      ok: true,
      value: { slot: name, series: [first] },
    });
    expect(answer(overlay(5), { ...strict, orders: { [first!]: 5 } })).toBe("old-order");
    // by people without the console it is newer than whatever the console signed
    expect(answer(overlay(5, [anna, ben]), { ...strict, orders: { [first!]: 5 } })).toBe("old-order");
    expect(answer(overlay(6, [anna, ben]), { ...strict, orders: { [first!]: 5 } })).toBe("taken");
    expect(answer(overlay(5), { ...strict, orders: { [second!]: 5 } })).toBe("old-order");
  });
  it("forgets the orders of a key that is believed no more", () => {
    const other = { ...strict, signers: signersOf(2, anna, ben) };
    expect(answer(overlay(5, [anna, ben]), { ...other, orders: { [first!]: 1_700_000_000 } })).toBe("taken");
  });
  it("goes on from what a version before kept in one series", () => {
    expect(answer(overlay(5), { ...strict, orders: { [name]: 5 } })).toBe("old-order");
    expect(answer(overlay(6), { ...strict, orders: { [name]: 5 } })).toBe("taken");
  });

  it("says in words why it refuses", () => {
    const got = verifyStatement(hash, verify, strict, make());
    expect(got).toMatchObject({
      ok: false,
      error: { reason: "1 of the 2 signatures it needs are by keys of this group" },
    });
  });
});

describe("a policy", () => {
  it("has one digest, whether defaults are written out or not", () => {
    const short = Policy.parse({});
    expect(policyDigest(hash, Policy.parse(JSON.parse(JSON.stringify(short))))).toBe(policyDigest(hash, short));
    expect(policyDigest(hash, Policy.parse({ log: { linesPerSecond: 501 } }))).not.toBe(policyDigest(hash, short));
  });

  it("is strict when it says nothing", () => {
    expect(Policy.parse({})).toMatchObject({ network: { otherwise: "block" }, disk: { require: "luks2" } });
  });

  it.each([
    [{ usb: { unknown: 1 } }, ["usb"]],
    [{ log: { linesPerSecond: 0 } }, ["log", "linesPerSecond"]],
    [{ network: { rules: [{ name: "a", verdict: "allow", ports: ["0"] }] } }, ["network", "rules", 0, "ports", 0]],
    [{ network: { rules: [{ name: "a", verdict: "allow", to: "10.0.0.0/33" }] } }, ["network", "rules", 0, "to"]],
    [{ version: 2 }, ["version"]],
    [{ surprise: true }, []],
  ])("refuses %j and says where", (bad, path) => {
    const got = Policy.safeParse(bad);
    expect(got.success).toBe(false);
    expect(got.error?.issues[0]?.path).toEqual(path);
  });

  it("has a JSON Schema for editors, of what a person writes", () => {
    const schema = policyJsonSchema() as { $schema: string; properties: Record<string, unknown>; required?: string[] };
    expect(schema.$schema).toContain("2020-12");
    expect(Object.keys(schema.properties)).toEqual(["version", "usb", "network", "ids", "log", "disk", "agent"]);
    expect(schema.required ?? []).toEqual([]);
  });
});
