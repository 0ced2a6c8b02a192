import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flip, flipped, publicKey, sha256, spoiled, textOf, uuid, words } from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { readsBack } from "../../test/read-back.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { WorkstationId } from "../base/ids.ts";
import { signStatement } from "../policy/statement.ts";
import { isSignedBy, readSigned, signValue } from "../trail/signed.ts";
import {
  EnrolAnswer,
  EnrolProof,
  EnrolRequest,
  EnrolToken,
  ListenerError,
  printToken,
  RenewAnswer,
  RenewProof,
  RenewRequest,
  readToken,
} from "./enrolment.ts";

const key = newSigner();
const secret = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/);
const token = fc.record({ url: fc.webUrl({ validSchemes: ["https"] }), ca: sha256, secret });

describe("an enrolment token", () => {
  it("of any text is answered, never thrown", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.base64String().map((made) => `sallyport1.${made}`),
      spoiled(token).map((value) => `sallyport1.${Buffer.from(textOf(value)).toString("base64url")}`),
    );
    fc.assert(
      fc.property(text, (untrusted) => {
        const read = readToken(untrusted);
        if (!read.ok) expect(read.error).toContain("no enrolment token");
      }),
    );
  });

  it("reads back, with what a clipboard puts around it", () => {
    fc.assert(
      fc.property(token, fc.constantFrom("", " ", "\n", "\t\r\n"), (value, around) => {
        expect(readToken(around + printToken(value) + around)).toEqual({ ok: true, value });
      }),
    );
  });

  it("with one byte changed is refused, or names another console or secret", () => {
    fc.assert(
      fc.property(token, flip, (value, change) => {
        const printed = printToken(value);
        const text = new TextDecoder().decode(flipped(toUtf8(printed), change));
        const read = readToken(text);
        if (read.ok) expect(text.trim() === printed || JSON.stringify(read.value) !== JSON.stringify(value)).toBe(true);
      }),
    );
  });
});

const request = fc
  .record({ secret, csr: words(8192), trailKey: publicKey, hostname: words(253), agentVersion: words(64) })
  .filter(({ hostname }) => hostname !== "")
  .map((asked) => ({
    ...asked,
    proof: signValue(hash, key, "sallyport/enrolment/1", { csr: asked.csr, trailKey: asked.trailKey }),
  }));
const enrolProof = fc.record({ csr: sha256, secret: sha256, trailKey: publicKey });
const renewProof = fc.record({ workstation: uuid<WorkstationId>(), csr: sha256, nonce: words(64) });
const renewal = fc
  .record({ workstation: uuid<WorkstationId>(), csr: words(8192), proof: renewProof })
  .map((asked) => ({ ...asked, proof: signValue(hash, key, "sallyport/renewal/1", asked.proof) }));
const answer = fc
  .record({
    workstation: uuid<WorkstationId>(),
    certificate: words(200),
    ca: words(200),
    mqtt: fc.nat(65_535).map((port) => `mqtts://console.example:${port}`),
    consoleKeys: fc.array(publicKey, { minLength: 1, maxLength: 8 }),
  })
  .map((said) => ({
    ...said,
    membership: signStatement(
      hash,
      [key],
      {
        type: "membership",
        audience: { workstation: said.workstation },
        order: 1,
        issued: "2026-11-24T08:00:00.000Z",
      },
      { workstation: said.workstation },
    ),
  }));

describe("what an agent and the listener say to one another", () => {
  it.each([
    ["a request", request, EnrolRequest],
    ["an answer", answer, EnrolAnswer],
    ["a renewal", renewal, RenewRequest],
    ["a renewal's answer", fc.record({ certificate: words(200), ca: words(200) }), RenewAnswer],
    ["a refusal", fc.record({ error: words(200), code: words(20) }), ListenerError],
    ["a token", token, EnrolToken],
  ] as const)("reads back, and answers anything: %s", (_name, drawn, schema) => {
    readsBack(drawn, schema);
  });

  it.each([
    ["enrol", enrolProof, EnrolProof, "sallyport/enrolment/1", "sallyport/renewal/1"],
    ["renew", renewProof, RenewProof, "sallyport/renewal/1", "sallyport/enrolment/1"],
  ] as const)(
    "is proved by the trail's key to %s, word for word, and for that alone",
    (_name, drawn, schema, domain, other) => {
      fc.assert(
        fc.property(drawn as fc.Arbitrary<object>, flip, (value, change) => {
          const signed = signValue(hash, key, domain, value);
          const read = readSigned<unknown>(schema, JSON.parse(JSON.stringify(signed)));
          expect(read).toMatchObject({ ok: true, value: { value } });
          expect(isSignedBy(verify, key.publicKey, domain, signed)).toBe(true);
          expect(isSignedBy(verify, key.publicKey, other, signed)).toBe(false);
          const text = new TextDecoder().decode(flipped(toUtf8(signed.text), change));
          fc.pre(text !== signed.text); // a character that is U+FFFD already
          const changed = readSigned<unknown>(schema, { ...signed, text });
          expect(changed.ok && isSignedBy(verify, key.publicKey, domain, changed.value.signed)).toBe(false);
        }),
      );
    },
  );
});
