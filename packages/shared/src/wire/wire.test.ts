import { readFileSync } from "node:fs";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash, verify } from "../../test/keys.ts";
import { concat, fromBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { Desired } from "../policy/statement.ts";
import { verifyStatement } from "../policy/verify.ts";
import { commitment } from "../record/content.ts";
import { Reported } from "../state/reported.ts";
import { openCheckpoint, origin } from "../trail/checkpoint.ts";
import { leafHash, readEntry } from "../trail/entry.ts";
import { openReceipt } from "../trail/receipt.ts";
import { isSignedBy, keyId, readSigned } from "../trail/signed.ts";
import { appendAll, EMPTY_EDGE, root } from "../trail/tree.ts";
import { CarriedException, CarriedRevocation } from "../usb/exception.ts";
import { BATCH_UNPACKED_BYTES_MAX, decodeBatch, encodeBatch } from "./batch.ts";
import { readTopic, topic } from "./topics.ts";

const decompress = (bytes: Uint8Array, maxOutputLength: number) => zstdDecompressSync(bytes, { maxOutputLength });
const compress = (bytes: Uint8Array) => zstdCompressSync(bytes);
const golden = (name: string) => readFileSync(new URL(`golden/${name}`, import.meta.url));
const goldenJson = (name: string) => JSON.parse(golden(name).toString());

describe("version 1 on the wire, for ever", () => {
  it("a batch decodes, its checkpoint verifies over its entries, its contents fit their hashes", () => {
    const wanted = goldenJson("batch-1.json");
    const got = decodeBatch(decompress, golden("batch-1.bin"));
    if (!got.ok) throw new Error(got.error);
    expect(got.value.header).toEqual(wanted.header);
    const records = got.value.records.map((record) => ({
      ...record,
      ...(record.salt && { salt: toHex(record.salt) }),
    }));
    expect(records).toEqual(wanted.records);
    const edge = appendAll(
      hash,
      EMPTY_EDGE,
      got.value.records.map(({ entry }) => leafHash(hash, entry)),
    );
    const name = origin("3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as never, wanted.header.trail);
    expect(openCheckpoint(hash, verify, name, fromBase64(wanted.trailKey), got.value.header.checkpoint)).toEqual({
      ok: true,
      value: { origin: name, size: 4, root: root(hash, edge) },
    });
    for (const { entry, salt, content } of got.value.records) {
      const read = readEntry(entry);
      if (!read.ok) throw new Error(read.error);
      if (salt) expect(toHex(commitment(hash, salt, toUtf8(content!)))).toBe(read.value.content);
    }
  });

  it("a receipt opens under the console's key only", () => {
    const wanted = goldenJson("receipt-1.json");
    expect(openReceipt(verify, fromBase64(wanted.consoleKey), wanted.message)).toEqual({
      ok: true,
      value: wanted.receipt,
    });
    expect(openReceipt(verify, new Uint8Array(32), wanted.message).ok).toBe(false);
    expect(
      openReceipt(verify, fromBase64(wanted.consoleKey), wanted.message.replace('\\"size\\":4', '\\"size\\":5')).ok,
    ).toBe(false);
  });

  it("desired statements are taken by the workstation they are for", () => {
    const wanted = goldenJson("desired-1.json");
    const { statements } = Desired.parse(JSON.parse(wanted.message));
    const trust = {
      workstation: wanted.workstation,
      group: wanted.group,
      signers: wanted.signers,
      orders: {},
      now: Date.parse("2026-11-24T09:00:00Z"),
    };
    expect(statements.map((each) => verifyStatement(hash, verify, trust, each))).toMatchObject([
      { ok: true, value: { statement: { type: "membership", order: 1 } } },
      { ok: true, value: { statement: { type: "policy", order: 3 } } },
    ]);
  });

  it("an exception for one stick, and what takes it back, are taken by the workstation they are for", () => {
    const wanted = goldenJson("exceptions-1.json");
    const { statements } = Desired.parse(JSON.parse(wanted.message));
    const key = fromBase64(wanted.consoleKey);
    const signers = {
      threshold: 1,
      keys: [{ id: keyId(hash, key), publicKey: wanted.consoleKey, role: "console" as const }],
    };
    const trust = { workstation: wanted.workstation, group: "" as never, signers, orders: {} };
    const now = Date.parse("2026-11-29T02:00:00Z");
    expect(statements.map((each) => verifyStatement(hash, verify, { ...trust, now }, each))).toMatchObject([
      { ok: true, value: { statement: { type: "exception" }, carried: wanted.exception } },
      { ok: true, value: { statement: { type: "revocation" }, carried: wanted.revocation } },
    ]);
    expect(CarriedException.parse(JSON.parse(statements[0]!.carried))).toEqual(wanted.exception);
    const [revoked] = CarriedRevocation.parse(JSON.parse(statements[1]!.carried)).revoked;
    expect(revoked!.exception).toBe(toHex(hash(toUtf8(statements[0]!.text))));
  });

  it.each(["reported-1.json", "reported-1-overlays.json"])("a report reads and verifies: %s", (name) => {
    const wanted = goldenJson(name);
    const got = readSigned(Reported, JSON.parse(wanted.message));
    if (!got.ok) throw new Error(got.error);
    expect(got.value.value).toEqual(wanted.reported);
    expect(isSignedBy(verify, fromBase64(wanted.trailKey), "sallyport/reported/1", got.value.signed)).toBe(true);
    expect(isSignedBy(verify, fromBase64(wanted.trailKey), "sallyport/receipt/1", got.value.signed)).toBe(false);
  });
});

describe("a batch", () => {
  it("of any bytes is answered, never thrown", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        (bytes) => void expect(decodeBatch(decompress, bytes).ok).toBe(false),
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        expect(decodeBatch(decompress, concat(Uint8Array.of(1), compress(toUtf8(text)))).ok).toBe(false);
      }),
    );
  });

  it("with one byte changed does not pass for the one that was sent", () => {
    const whole = new Uint8Array(golden("batch-1.bin"));
    const wanted = goldenJson("batch-1.json");
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = whole.slice();
        changed[at]! ^= flip;
        const got = decodeBatch(decompress, changed);
        if (!got.ok) return;
        const records = got.value.records.map((record) => ({
          ...record,
          ...(record.salt && { salt: toHex(record.salt) }),
        }));
        // A frame's flags may change without its content changing; then nothing was forged.
        const same = JSON.stringify([got.value.header, records]) === JSON.stringify([wanted.header, wanted.records]);
        const intact = got.value.records.every(({ entry, salt, content }) => {
          const read = readEntry(entry);
          return read.ok && (!salt || toHex(commitment(hash, salt, toUtf8(content!))) === read.value.content);
        });
        const edge = appendAll(
          hash,
          EMPTY_EDGE,
          got.value.records.map(({ entry }) => leafHash(hash, entry)),
        );
        const { header } = got.value;
        const name = origin("3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as never, header.trail);
        const checkpoint = openCheckpoint(hash, verify, name, fromBase64(wanted.trailKey), header.checkpoint);
        const verifies = checkpoint.ok && toHex(checkpoint.value.root) === toHex(root(hash, edge));
        expect(
          same ||
            !intact ||
            !verifies ||
            header.session !== wanted.header.session ||
            header.oldest !== wanted.header.oldest,
        ).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("that unpacks to more than its bound is refused without being unpacked", () => {
    const bomb = concat(Uint8Array.of(1), compress(new Uint8Array(BATCH_UNPACKED_BYTES_MAX + 1)));
    expect(bomb.length).toBeLessThan(2048);
    expect(decodeBatch(decompress, bomb)).toMatchObject({
      ok: false,
      error: expect.stringContaining("does not unpack"),
    });
  });

  it("of another version, torn or miscounted says which", () => {
    const wanted = goldenJson("batch-1.json");
    const lines = wanted.records.map((record: { entry: string }) => `${record.entry}\n`).join("");
    const pack = (text: string, version = 1) =>
      decodeBatch(decompress, concat(Uint8Array.of(version), compress(toUtf8(text))));
    expect(decodeBatch(decompress, encodeBatch(compress, wanted.header, lines)).ok).toBe(true);
    expect(pack("", 2)).toMatchObject({ error: expect.stringContaining("version 2") });
    expect(pack(`${JSON.stringify(wanted.header)}\n${lines.slice(0, -1)}`)).toMatchObject({
      error: expect.stringContaining("torn"),
    });
    expect(pack(`${JSON.stringify(wanted.header)}\n${lines}{}\n`)).toMatchObject({
      error: expect.stringContaining("5 records"),
    });
    expect(pack(`${JSON.stringify({ ...wanted.header, count: 1 })}\n{}\tAA==\t{}\n`)).toMatchObject({
      error: expect.stringContaining("a salt is 32 bytes"),
    });
  });
});

describe("a topic", () => {
  const id = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as never;
  it("names a workstation and its shard", () => {
    expect(topic(id, "batch")).toBe("sallyport/1/3f/3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b/batch");
    expect(readTopic(topic(id, "batch"))).toEqual({ ok: true, value: { workstation: id, channel: "batch" } });
  });
  it.each([
    "",
    "sallyport/2/3f/x/batch",
    topic(id, "batch").replace("/3f/", "/4f/"),
    `${topic(id, "batch")}/more`,
    topic(id, "batch").toUpperCase(),
    "sallyport/1/3f/#",
  ])("refuses %s", (bad) => expect(readTopic(bad).ok).toBe(false));
});
