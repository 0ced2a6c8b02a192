import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flip, flipped, index, spoiled, textOf, time, uuid, words } from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { TrailId, WorkstationId } from "../base/ids.ts";
import { openLoss, signLoss } from "./loss.ts";
import { signValue } from "./signed.ts";

const key = newSigner();
const loss = fc
  .record({
    workstation: uuid<WorkstationId>(),
    trail: uuid<TrailId>(),
    ends: fc.uniqueArray(index, { minLength: 2, maxLength: 2 }),
    epoch: fc.nat(),
    reason: words(64),
    time,
  })
  .map(({ ends, ...rest }) => ({ ...rest, from: Math.min(...ends), to: Math.max(...ends) }));

describe("a signed loss", () => {
  it("of any value is answered, never thrown", () => {
    const signed = loss.map((value) => signLoss(hash, key, value));
    const text = fc.oneof(
      spoiled(signed).map(textOf),
      spoiled(loss).map((value) => JSON.stringify({ text: textOf(value), signatures: [] })),
    );
    fc.assert(
      fc.property(text, (untrusted) => {
        const opened = openLoss(verify, key.publicKey, JSON.parse(untrusted));
        if (!opened.ok) expect(opened.error).toMatch(/^the loss/);
      }),
    );
  });

  it("opens as it was signed, by that key alone, and not as another signed thing", () => {
    const other = newSigner();
    fc.assert(
      fc.property(loss, (value) => {
        const sent = JSON.parse(JSON.stringify(signLoss(hash, key, value)));
        expect(openLoss(verify, key.publicKey, sent)).toEqual({ ok: true, value });
        expect(openLoss(verify, other.publicKey, sent).ok).toBe(false);
        expect(openLoss(verify, key.publicKey, signValue(hash, key, "sallyport/receipt/1", value)).ok).toBe(false);
      }),
    );
  });

  it("names at least one record", () => {
    fc.assert(
      fc.property(loss, (value) => {
        const none = { ...value, to: value.from };
        expect(openLoss(verify, key.publicKey, signLoss(hash, key, none)).ok).toBe(false);
      }),
    );
  });

  it("is refused after one byte of it changed", () => {
    fc.assert(
      fc.property(loss, flip, (value, change) => {
        const signed = signLoss(hash, key, value);
        const text = new TextDecoder().decode(flipped(toUtf8(signed.text), change));
        fc.pre(text !== signed.text); // a character that is U+FFFD already
        expect(openLoss(verify, key.publicKey, { ...signed, text }).ok).toBe(false);
      }),
    );
  });
});
