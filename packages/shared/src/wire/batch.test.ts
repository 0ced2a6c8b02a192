import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { index, json, spoiled, textOf, uuid, words } from "../../test/drawn.ts";
import { concat, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { SessionId, TrailId } from "../base/ids.ts";
import { SALT_BYTES } from "../record/content.ts";
import { BATCH_VERSION, BatchHeader, batchLine, decodeBatch, encodeBatch } from "./batch.ts";

const decompress = (bytes: Uint8Array, maxOutputLength: number) => zstdDecompressSync(bytes, { maxOutputLength });
const compress = (bytes: Uint8Array) => zstdCompressSync(bytes);

const entry = json.map(canonicalText).filter((text) => text.length <= 1024);
const whole = fc.record({
  entry,
  salt: fc.uint8Array({ minLength: SALT_BYTES, maxLength: SALT_BYTES }),
  content: json.map(canonicalText),
});
const batch = fc
  .record({
    records: fc.array(fc.oneof(whole, fc.record({ entry })), { minLength: 1, maxLength: 5 }),
    trail: uuid<TrailId>(),
    session: uuid<SessionId>(),
    from: index,
    oldest: index,
    checkpoint: words(16 * 1024),
  })
  .map(({ records, ...header }) => ({ header: { ...header, count: records.length }, records }));

describe("a batch", () => {
  it("reads back as it was sent, contents given up or not", () => {
    fc.assert(
      fc.property(batch, ({ header, records }) => {
        const sent = encodeBatch(compress, header, records.map(batchLine).join(""));
        expect(decodeBatch(decompress, sent)).toEqual({ ok: true, value: { header, records } });
      }),
    );
  });

  it("under any header is answered with words, never thrown", () => {
    const header = spoiled(batch.map(({ header }) => header)).map(textOf);
    fc.assert(
      fc.property(header, fc.array(fc.string({ unit: "binary", maxLength: 40 })), (head, lines) => {
        const text = [head, ...lines].map((line) => `${line}\n`).join("");
        const read = decodeBatch(decompress, concat(Uint8Array.of(BATCH_VERSION), compress(toUtf8(text))));
        if (read.ok) expect(BatchHeader.parse(read.value.header).count).toBe(read.value.records.length);
        else expect(read.error).not.toBe("");
      }),
    );
  });

  it("that is cut anywhere is refused", () => {
    fc.assert(
      fc.property(batch, fc.nat(), ({ header, records }, at) => {
        const sent = encodeBatch(compress, header, records.map(batchLine).join(""));
        expect(decodeBatch(decompress, sent.subarray(0, at % sent.length)).ok).toBe(false);
      }),
    );
  });
});
