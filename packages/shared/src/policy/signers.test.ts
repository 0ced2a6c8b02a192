import { expect, it } from "vitest";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toBase64 } from "../base/bytes.ts";
import { keyId, type Signer } from "../trail/signed.ts";
import { approversNeeded, isAsStrict, type Signers, signStatement } from "./statement.ts";
import { type Trust, verifyStatement, voices } from "./verify.ts";

const [old, next, anna, ben, cleo, thief] = [
  newSigner(),
  newSigner(),
  newSigner(),
  newSigner(),
  newSigner(),
  newSigner(),
];
const isConsole = (key: Signer) => key === old || key === next;
const signersOf = (threshold: number, ...keys: Signer[]): Signers => ({
  threshold,
  keys: keys.map((key) => ({
    id: keyId(hash, key.publicKey),
    publicKey: toBase64(key.publicKey),
    role: isConsole(key) ? "console" : "approver",
  })),
});
const workstation = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as Trust["workstation"];
const group = "11111111-2222-4333-8444-555555555555" as Trust["group"];
const make = (type: "policy" | "overlay", by: Signer[]) =>
  signStatement(hash, by, { type, audience: { group }, order: 1, issued: "2026-11-24T08:00:00.000Z" }, {});
const isTaken = (signers: Signers, type: "policy" | "overlay", ...by: Signer[]) => {
  const trust = { workstation, group, signers, orders: {}, now: Date.parse("2026-11-24T09:00:00Z") };
  return verifyStatement(hash, verify, trust, make(type, by)).ok;
};

it.each<[string, Signers, Signer[], boolean]>([
  ["the console and as many people as are missing", signersOf(3, old, anna, ben, cleo), [old, anna, cleo], true],
  ["people alone, where they are enough", signersOf(3, old, anna, ben, cleo), [anna, ben, cleo], true],
  ["the console and one person too few", signersOf(3, old, anna, ben, cleo), [old, anna], false],
  ["two keys of the console: they are one voice", signersOf(2, old, next, anna), [old, next], false],
  ["two keys of the console and a person", signersOf(2, old, next, anna), [old, next, anna], true],
  ["the console's key listed as a person's as well", bothRoles(), [old], false],
])("a policy is believed by %s: %#", (_, signers, by, taken) => {
  expect(isTaken(signers, "policy", ...by)).toBe(taken);
});

/** What a hacked console would like to have signed. */
function bothRoles(): Signers {
  const { threshold, keys } = signersOf(2, old, anna);
  return { threshold, keys: [...keys, { ...keys[0]!, role: "approver" }] };
}

it("a person alone sends no overlay, and the console does", () => {
  const signers = signersOf(3, old, anna, ben);
  expect(isTaken(signers, "overlay", old)).toBe(true);
  expect(isTaken(signers, "overlay", anna)).toBe(false);
});

it("a signature is named by the key that made it, once", () => {
  const signed = make("policy", [anna, anna, old, thief]);
  expect(voices(verify, signersOf(2, old, anna, ben).keys, signed)).toEqual({
    console: [toBase64(old.publicKey)],
    approvers: [toBase64(anna.publicKey)],
  });
});

it.each<[string, Signers, Signers, boolean]>([
  ["the same", signersOf(2, old, anna, ben), signersOf(2, old, anna, ben), true],
  ["more must sign", signersOf(2, old, anna, ben), signersOf(3, old, anna, ben), true],
  ["fewer must sign", signersOf(3, old, anna, ben), signersOf(2, old, anna, ben), false],
  ["one left", signersOf(2, old, anna, ben), signersOf(2, old, anna), true],
  ["a stranger came", signersOf(2, old, anna, ben), signersOf(2, old, anna, ben, thief), false],
  ["a stranger came and one more must sign", signersOf(2, old, anna), signersOf(3, old, anna, ben), true],
  ["the console's key follows another", signersOf(2, old, anna), signersOf(2, next, anna), true],
  ["nobody but the console is left", signersOf(2, old, anna), signersOf(1, old), false],
  ["there never were approvers", signersOf(1, old), signersOf(1, next), true],
])("whether signers are as strict as before: %s", (_, before, after, strict) => {
  expect(isAsStrict(before, after)).toBe(strict);
});

it("how many people must sign where the console does", () => {
  expect(approversNeeded(signersOf(1, old))).toBe(0);
  expect(approversNeeded(signersOf(3, old, anna, ben))).toBe(2);
  expect(approversNeeded(signersOf(2, anna, ben))).toBe(2);
});
