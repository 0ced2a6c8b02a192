import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flip, flipped, index, uuid } from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { TrailId, WorkstationId } from "../base/ids.ts";
import { checkpointText, openCheckpoint, origin, readCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { readVkey, signNote, vkey } from "./note.ts";

const key = newSigner();
const name = fc
  .tuple(fc.oneof(uuid<WorkstationId>(), fc.constant("console" as const)), uuid<TrailId>())
  .map(([workstation, trail]) => origin(workstation, trail));
const checkpoint = fc.record({ origin: name, size: index, root: fc.uint8Array({ minLength: 32, maxLength: 32 }) });

describe("a checkpoint", () => {
  it("of any lines is answered, never thrown, signed or not", () => {
    const line = fc.oneof(fc.string({ unit: "binary" }), fc.nat().map(String), fc.base64String());
    const text = fc.array(line, { maxLength: 5 }).map((lines) => `${lines.join("\n")}\n`);
    fc.assert(
      fc.property(text, name, (untrusted, origin) => {
        const read = readCheckpoint(untrusted);
        if (!read.ok) expect(read.error).not.toBe("");
        const signed = signNote(hash, key.sign, origin, key.publicKey, untrusted);
        const opened = openCheckpoint(hash, verify, origin, key.publicKey, signed);
        if (opened.ok) expect(opened.value.origin).toBe(origin);
      }),
    );
  });

  it("reads back as it was signed, and so does its key", () => {
    fc.assert(
      fc.property(checkpoint, (value) => {
        const note = signCheckpoint(hash, key.sign, key.publicKey, value);
        expect(readCheckpoint(checkpointText(value))).toEqual({ ok: true, value });
        expect(openCheckpoint(hash, verify, value.origin, key.publicKey, note)).toEqual({ ok: true, value });
        expect(readVkey(hash, vkey(hash, value.origin, key.publicKey))).toEqual({
          ok: true,
          value: { name: value.origin, publicKey: key.publicKey },
        });
      }),
    );
  });

  it("is refused after any one byte of it changed", () => {
    fc.assert(
      fc.property(checkpoint, flip, (value, change) => {
        const note = signCheckpoint(hash, key.sign, key.publicKey, value);
        const changed = new TextDecoder().decode(flipped(toUtf8(note), change));
        expect(openCheckpoint(hash, verify, value.origin, key.publicKey, changed).ok).toBe(false);
      }),
    );
  });
});
