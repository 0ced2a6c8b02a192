import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { fromBase64 } from "../base/bytes.ts";
import { openCheckpoint, readCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { openNote, readVkey, signNote, vkey } from "./note.ts";

const { publicKey, sign } = newSigner();
const origin = "sallyport/a/b";
const note = signCheckpoint(hash, sign, publicKey, { origin, size: 42, root: new Uint8Array(32) });

describe("a signed note", () => {
  it("opens the example of Go's sumdb/note, signed by a key we never had", () => {
    const key = readVkey(hash, "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    if (!key.ok) throw new Error(key.error);
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const signed = `${text}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    expect(openNote(hash, verify, key.value.name, key.value.publicKey, signed)).toEqual({ ok: true, value: text });
    expect(openNote(hash, verify, key.value.name, key.value.publicKey, signed.replace("answer", "Answer")).ok).toBe(
      false,
    );
  });

  it("carries its key as text and back", () => {
    expect(readVkey(hash, vkey(hash, origin, publicKey))).toEqual({ ok: true, value: { name: origin, publicKey } });
    expect(readVkey(hash, vkey(hash, origin, publicKey).replace(origin, "sallyport/a/c")).ok).toBe(false);
  });

  it("is a checkpoint only under its own origin and key", () => {
    expect(openCheckpoint(hash, verify, origin, publicKey, note)).toEqual({
      ok: true,
      value: { origin, size: 42, root: new Uint8Array(32) },
    });
    expect(openCheckpoint(hash, verify, "sallyport/a/c", publicKey, note).ok).toBe(false);
    const otherKey = newSigner().publicKey;
    expect(openCheckpoint(hash, verify, origin, otherKey, note).ok).toBe(false);
    const relabelled = signNote(hash, sign, origin, publicKey, `sallyport/x/y\n1\n${note.split("\n")[2]}\n`);
    expect(openCheckpoint(hash, verify, origin, publicKey, relabelled).ok).toBe(false);
  });

  it("is refused after any one byte changed", () => {
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const char = String.fromCharCode(code);
        fc.pre(note[at] !== char);
        const changed = note.slice(0, at) + char + note.slice(at + 1);
        const opened = openCheckpoint(hash, verify, origin, publicKey, changed);
        expect(opened.ok).toBe(false);
      }),
    );
  });

  it("answers any text without throwing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        expect(openCheckpoint(hash, verify, origin, publicKey, text).ok).toBe(false);
        readCheckpoint(text);
        readVkey(hash, text);
      }),
    );
    expect(() => fromBase64("*")).toThrow(RangeError);
  });
});
