/** What property tests draw: values as the contracts allow them, values as they do not, and one byte changed. */
import fc from "fast-check";
import { toBase64, toHex } from "../src/base/bytes.ts";
import type { CommandId, GroupId, SessionId, Sha256, TrailId, WorkstationId } from "../src/base/ids.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** A version 4 UUID under whichever id's name. */
export const uuid = <Id extends WorkstationId | TrailId | GroupId | SessionId | CommandId>() =>
  fc.uuid({ version: 4 }) as fc.Arbitrary<Id>;
export const sha256 = bytes(32).map((drawn) => toHex(drawn) as Sha256);
export const publicKey = bytes(32).map(toBase64);
export const index = fc.maxSafeNat();
export const order = fc.integer({ min: 1, max: 2 ** 31 });
export const time = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => date.toISOString());
/** Valid Unicode with everything that is hard in it. */
export const words = (charsMax: number) =>
  fc.string({ unit: "binary", maxLength: Math.min(charsMax, 60) }).filter((text) => text.length <= charsMax);
/** JSON that canonical JSON can say. A member named __proto__ is dropped by the schemas, which is not asked here. */
export const json = fc
  .jsonValue({ maxDepth: 3, noUnicodeString: false })
  .filter((value) => !JSON.stringify(value).includes("__proto__"));
/** An object in which members marked optional are there or not. */
export const shape = <T extends object, K extends keyof T>(
  members: { [Each in keyof T]: fc.Arbitrary<T[Each]> },
  ...required: K[]
) => fc.record(members, { requiredKeys: required });

/** Nests deeper than a recursive reader's stack. */
export const DEEP = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;

/** What stands for `DEEP` in a drawn value: no value may hold it, for what draws and prints values is recursive too. */
const DEEP_HERE = "nests without end";
export const textOf = (value: unknown): string => String(JSON.stringify(value)).replaceAll(`"${DEEP_HERE}"`, DEEP);

/** Any JSON at all: by chance, too deep (through `textOf`), a lone surrogate, a member that is the prototype's name. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: fc.jsonValue({ noUnicodeString: false }) },
  { weight: 1, arbitrary: fc.constantFrom(DEEP_HERE, "\ud800", 1e300, JSON.parse('{"__proto__":{"a":1}}')) },
);

/** A valid value with one of its members, at any depth, gone or replaced by something else. */
export function spoiled(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(valid, fc.nat(), fc.option(anyJson, { nil: undefined })).map(([value, at, other]) => {
    const copy = structuredClone(value);
    const places: [Record<string, unknown>, string][] = [];
    const walk = (each: unknown) => {
      if (typeof each !== "object" || each === null) return;
      for (const [key, member] of Object.entries(each)) {
        places.push([each as Record<string, unknown>, key]);
        walk(member);
      }
    };
    walk(copy);
    const [holder, key] = places[at % Math.max(1, places.length)] ?? [{}, ""];
    if (other === undefined) delete holder[key];
    else holder[key] = other;
    return copy;
  });
}

export type Flip = { at: number; by: number };
/** Where, in a share of the length, and with what a byte is XORed. */
export const flip: fc.Arbitrary<Flip> = fc.record({
  at: fc.nat({ max: 0x7fffffff }),
  by: fc.integer({ min: 1, max: 255 }),
});

export function flipped(whole: Uint8Array, { at, by }: Flip): Uint8Array {
  const changed = whole.slice();
  changed[at % whole.length]! ^= by;
  return changed;
}
