import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawnCommand } from "../../test/command.ts";
import { flip, flipped, json, publicKey, sha256, shape, spoiled, textOf, uuid, words } from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { answersAnything, readsBack } from "../../test/read-back.ts";
import { toBase64, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { GroupId, KeyId, WorkstationId } from "../base/ids.ts";
import { Command, faultOfCommand } from "../command/command.ts";
import { keyId } from "../trail/signed.ts";
import { CarriedException } from "../usb/exception.ts";
import {
  CarriedKeys,
  CarriedPolicy,
  Desired,
  Membership,
  type SignedStatement,
  Signers,
  type Statement,
  StatementType,
  signStatement,
} from "./statement.ts";
import { REFUSALS, type Trust, verifyStatement } from "./verify.ts";

const [console, approver] = [newSigner(), newSigner()];
const workstation = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId;
const group = "11111111-2222-4333-8444-555555555555" as GroupId;
const trust: Trust = {
  workstation,
  group,
  signers: {
    threshold: 2,
    keys: [
      { id: keyId(hash, console.publicKey), publicKey: toBase64(console.publicKey), role: "console" },
      { id: keyId(hash, approver.publicKey), publicKey: toBase64(approver.publicKey), role: "approver" },
    ],
  },
  orders: {},
  now: Date.parse("2026-11-24T09:00:00Z"),
};

const keyIdText = fc.stringMatching(/^[0-9a-f]{8}$/) as fc.Arbitrary<KeyId>;
const signers = fc
  .array(fc.record({ id: keyIdText, publicKey, role: fc.constantFrom("console" as const, "approver" as const) }), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((keys) => fc.record({ threshold: fc.integer({ min: 1, max: keys.length }), keys: fc.constant(keys) }));
const membership = fc.record({
  workstation: uuid<WorkstationId>(),
  group: uuid<GroupId>(),
  groupName: words(128),
  signers,
});
const carriedKeys = fc.record({
  consoleKeys: fc.array(publicKey, { minLength: 1, maxLength: 8 }),
  cas: fc.array(words(200), { maxLength: 3 }),
});
const exception = shape(
  { workstation: uuid<WorkstationId>(), descriptors: sha256, manifest: sha256, request: sha256, reason: words(1024) },
  "workstation",
  "descriptors",
  "manifest",
  "reason",
);
const carried = fc.oneof(membership, carriedKeys, exception, drawnCommand, json);

/** Addressed here and valid now, of any type. */
const statement = shape<Omit<Statement, "digest">, keyof Omit<Statement, "digest">>(
  {
    type: fc.constantFrom(...StatementType.options),
    audience: fc.constantFrom({ workstation }, { group }, { fleet: true as const }),
    order: fc.integer({ min: 1, max: Date.parse("2026-11-24T09:00:00Z") / 1000 }),
    issued: fc
      .integer({ min: Date.parse("2026-11-17T09:00:00Z"), max: Date.parse("2026-11-25T09:00:00Z") })
      .map((at) => new Date(at).toISOString()),
    notBefore: fc.constant("2026-11-24T08:59:59.999Z"),
    notAfter: fc.constant("2026-11-24T09:00:00.001Z"),
    fallback: sha256,
  },
  "type",
  "audience",
  "order",
  "issued",
) as fc.Arbitrary<Omit<Statement, "digest">>;
const signed = fc
  .tuple(statement, carried)
  .map(([of, load]) => ({ of, load, message: signStatement(hash, [console, approver], of, load) }));

const answer = (untrusted: unknown) => verifyStatement(hash, verify, trust, untrusted);

describe("a signed statement", () => {
  it("of any value is answered with a known refusal, never thrown", () => {
    const message = fc.oneof(
      spoiled(signed.map(({ message }) => message)),
      spoiled(statement).map((of) => ({
        text: textOf(of),
        signatures: [{ key: "00000000", signature: "" }],
        carried: "{}",
      })),
      spoiled(carried).map((load) => ({
        text: "{}",
        signatures: [{ key: "00000000", signature: "" }],
        carried: textOf(load),
      })),
    );
    fc.assert(
      fc.property(message.map(textOf), (text) => {
        const got = answer(JSON.parse(text));
        if (!got.ok) expect(REFUSALS).toContain(got.error.code);
      }),
    );
  });

  it("is taken as it was signed", () => {
    fc.assert(
      fc.property(signed, ({ of, load, message }) => {
        const got = answer(JSON.parse(JSON.stringify(message)));
        expect(got).toMatchObject({ ok: true, value: { statement: of } });
        if (got.ok) expect(canonicalText(got.value.carried)).toBe(canonicalText(load));
      }),
    );
  });

  it("is refused after one byte of it, of what it carries or of a signature changed", () => {
    const part = fc.constantFrom("text", "carried", "signature");
    fc.assert(
      fc.property(signed, part, flip, fc.nat(1), ({ message }, part, change, which) => {
        const garbled = (text: string) => new TextDecoder().decode(flipped(toUtf8(text), change));
        const changed: SignedStatement = structuredClone(message);
        const before =
          part === "signature" ? changed.signatures[which]!.signature : changed[part as "text" | "carried"];
        fc.pre(garbled(before) !== before); // a character that is U+FFFD already
        if (part === "signature") changed.signatures[which]!.signature = garbled(before);
        else changed[part as "text" | "carried"] = garbled(before);
        const got = answer(changed);
        if (!got.ok) return;
        // two may sign what one alone may: an overlay, a revocation, and a command that only takes away for a while
        expect([part, got.value.statement.type]).toEqual([
          "signature",
          expect.stringMatching(/^(?:overlay|revocation|command)$/),
        ]);
        expect(canonicalText(got.value.carried)).toBe(message.carried);
      }),
    );
  });

  it("that carries another one's load is refused", () => {
    fc.assert(
      fc.property(signed, signed, ({ message }, other) => {
        fc.pre(message.carried !== other.message.carried);
        const got = answer({ ...message, carried: other.message.carried });
        expect(got).toMatchObject({ ok: false, error: { code: "digest" } });
      }),
    );
  });

  it("has one message for all that a workstation should have taken", () => {
    fc.assert(
      fc.property(fc.array(signed, { maxLength: 4 }), (some) => {
        const desired = { statements: some.map(({ message }) => message) };
        expect(Desired.parse(JSON.parse(JSON.stringify(desired)))).toEqual(desired);
      }),
      { numRuns: 30 },
    );
    fc.assert(
      fc.property(
        spoiled(
          fc.array(
            signed.map(({ message }) => message),
            { maxLength: 3 },
          ),
        ).map(textOf),
        (text) => {
          Desired.safeParse({ statements: JSON.parse(text) });
        },
      ),
    );
  });
});

describe("what a statement carries", () => {
  it.each([
    ["a membership", membership, Membership],
    ["keys", carriedKeys, CarriedKeys],
    ["an exception", exception, CarriedException],
    ["signers", signers, Signers],
    ["a command", drawnCommand, Command],
  ] as const)("reads back and answers anything: %s", (_name, drawn, schema) => {
    readsBack(drawn, schema);
    answersAnything(drawn, CarriedPolicy);
  });

  it("has no key that does not decode: keys that a schema lets through verify or do not, and never throw", () => {
    const sloppy = publicKey.map((key) => `${key.slice(0, 42)}B=`);
    fc.assert(
      fc.property(signers, sloppy, (value, key) => {
        const keys = value.keys.map((each, at) => (at === 0 ? { ...each, publicKey: key } : each));
        expect(Signers.safeParse({ ...value, keys }).success).toBe(false);
      }),
    );
  });

  it("is found at fault in words, or not at all, where it should be a command", () => {
    fc.assert(
      fc.property(statement, fc.oneof(spoiled(drawnCommand), drawnCommand, json), (of, load) => {
        const fault = faultOfCommand({ ...of, digest: "0".repeat(64) } as Statement, JSON.parse(textOf(load)));
        if (fault) expect(fault.reason).not.toBe("");
      }),
    );
  });
});
