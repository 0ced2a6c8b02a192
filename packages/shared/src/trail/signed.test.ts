import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  anyJson,
  flip,
  flipped,
  index,
  json,
  sha256,
  shape,
  spoiled,
  textOf,
  time,
  uuid,
  words,
} from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { TrailId, WorkstationId } from "../base/ids.ts";
import { openReceipt, type Receipt, signReceipt } from "./receipt.ts";
import { DOMAINS, isSignedBy, readSigned, signValue } from "./signed.ts";

const key = newSigner();
const domain = fc.constantFrom(...DOMAINS);
/** A byte changed, and read as a receiver does that replaces what is not UTF-8. */
const garbled = (text: string, change: Parameters<typeof flipped>[1]) =>
  new TextDecoder().decode(flipped(toUtf8(text), change));

describe("what is signed", () => {
  it("of any value is answered, never thrown", () => {
    const message = fc.oneof(
      anyJson,
      fc.record({ text: fc.oneof(fc.string({ unit: "binary" }), fc.json()), signatures: fc.constant([]) }),
      spoiled(json.map((value) => signValue(hash, key, "sallyport/loss/1", value))),
    );
    fc.assert(
      fc.property(message.map(textOf), (text) => {
        const read = readSigned(z.json(), JSON.parse(text));
        if (read.ok) isSignedBy(verify, key.publicKey, "sallyport/receipt/1", read.value.signed);
        else expect(read.error).not.toBe("");
      }),
    );
  });

  it("reads back, by its own key and under its own domain alone", () => {
    const other = newSigner();
    fc.assert(
      fc.property(json, domain, domain, (value, domain, under) => {
        const read = readSigned(z.json(), JSON.parse(JSON.stringify(signValue(hash, key, domain, value))));
        if (!read.ok) throw new Error(read.error);
        expect(read.value.value).toEqual(JSON.parse(JSON.stringify(value)));
        expect(isSignedBy(verify, key.publicKey, under, read.value.signed)).toBe(under === domain);
        expect(isSignedBy(verify, other.publicKey, domain, read.value.signed)).toBe(false);
      }),
    );
  });

  it("is refused after one byte of it changed, whichever and however", () => {
    fc.assert(
      fc.property(json, domain, flip, (value, domain, change) => {
        const signed = signValue(hash, key, domain, value);
        const changed = garbled(signed.text, change);
        fc.pre(changed !== signed.text); // a character that is U+FFFD already
        const read = readSigned(z.json(), { ...signed, text: changed });
        expect(read.ok && isSignedBy(verify, key.publicKey, domain, read.value.signed)).toBe(false);
      }),
    );
  });

  it("is not two texts: a lone surrogate has the bytes of U+FFFD, and is refused", () => {
    const signed = signValue(hash, key, "sallyport/statement/1", "\ufffd");
    const text = '"\ud800"';
    expect(toUtf8(text)).toEqual(toUtf8(signed.text));
    expect(readSigned(z.json(), { ...signed, text })).toMatchObject({
      ok: false,
      error: expect.stringContaining("surrogate"),
    });
  });
});

const receipt = shape<Receipt, keyof Receipt>(
  {
    workstation: uuid<WorkstationId>(),
    trail: uuid<TrailId>(),
    epoch: fc.nat(),
    size: index,
    root: sha256,
    safe: index,
    answer: fc.constantFrom("new", "duplicate", "ahead", "fork", "refused", "stand"),
    reason: words(512),
    time,
  },
  ...(["workstation", "trail", "epoch", "size", "root", "safe", "answer", "time"] as const),
) as fc.Arbitrary<Receipt>;
const sent = receipt.map((value) => ({ ...value, safe: Math.min(value.safe, value.size) }));

describe("a receipt", () => {
  it("of any text is answered, never thrown", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      spoiled(sent.map((value) => signReceipt(hash, key, value))).map(textOf),
      spoiled(sent).map((value) => JSON.stringify({ text: textOf(value), signatures: [] })),
    );
    fc.assert(
      fc.property(text, (untrusted) => {
        const opened = openReceipt(verify, key.publicKey, untrusted);
        if (!opened.ok) expect(opened.error).toMatch(/receipt/);
      }),
    );
  });

  it("opens as it was signed", () => {
    fc.assert(
      fc.property(sent, (value) => {
        const text = JSON.stringify(signReceipt(hash, key, value));
        expect(openReceipt(verify, key.publicKey, text)).toEqual({ ok: true, value });
      }),
    );
  });

  it("never releases more than it says is committed", () => {
    fc.assert(
      fc.property(receipt, (value) => {
        const opened = openReceipt(verify, key.publicKey, JSON.stringify(signReceipt(hash, key, value)));
        expect(opened.ok).toBe(value.safe <= value.size);
      }),
    );
  });

  it("with one byte changed is refused, or says what was signed", () => {
    fc.assert(
      fc.property(sent, flip, (value, change) => {
        const opened = openReceipt(
          verify,
          key.publicKey,
          garbled(JSON.stringify(signReceipt(hash, key, value)), change),
        );
        // the key's short name is for people: it may change without a word being another's
        if (opened.ok) expect(opened.value).toEqual(value);
      }),
    );
  });
});
