import { concat, toHex } from "@sallyport/shared/base/bytes.ts";
import { padded, TAR_BLOCK, TAR_END, tarHeader } from "@sallyport/shared/wire/tar.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fault } from "./fault.ts";
import { type Piece, piecesOf, placesOf, type ReadAt } from "./pieces.ts";

const name = fc
  .array(fc.stringMatching(/^[a-z0-9][\w.-]{0,8}$/), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
const pieces = fc.uniqueArray(fc.record({ name, bytes: fc.uint8Array({ maxLength: 1_200 }) }), {
  selector: (piece) => piece.name,
  maxLength: 6,
});
const packOf = (some: readonly Piece[]): Uint8Array =>
  concat(
    ...some.flatMap(({ name, bytes }) => [
      tarHeader(name, bytes.length, 1_795_000_000),
      bytes,
      new Uint8Array(padded(bytes.length) - bytes.length),
    ]),
    TAR_END,
  );

/** In pieces of any size: what a network makes of a stream. */
async function* cut(whole: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < whole.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield whole.subarray(at, at + size);
    at += size;
  }
}
const sizes = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 5 });
const at =
  (whole: Uint8Array): ReadAt =>
  async (from, size) =>
    whole.subarray(from, from + size);
const plain = (some: readonly Piece[]) => some.map(({ name, bytes }) => [name, toHex(bytes)]);

async function all(some: AsyncIterable<Piece>): Promise<Piece[]> {
  const list: Piece[] = [];
  for await (const each of some) list.push(each);
  return list;
}

/** What both readers make of a pack, or the fault's words; anything else that is thrown fails the test. */
async function readBoth(whole: Uint8Array, sizes: readonly number[]) {
  const told = (error: unknown) => {
    if (error instanceof Fault) return error.message;
    throw error;
  };
  const streamed = all(piecesOf(cut(whole, sizes))).then(plain, told);
  const placed = placesOf(at(whole)).then(
    (places) =>
      plain([...places].map(([name, place]) => ({ name, bytes: whole.subarray(place.at, place.at + place.size) }))),
    told,
  );
  return { streamed: await streamed, placed: await placed };
}

describe("a pack", () => {
  it("reads back in whatever pieces it arrives, and the same from disk", async () => {
    await fc.assert(
      fc.asyncProperty(pieces, sizes, async (some, sizes) => {
        const got = await readBoth(packOf(some), sizes);
        expect(got).toEqual({ streamed: plain(some), placed: plain(some) });
      }),
    );
  });

  it("of any bytes is answered with a sentence", async () => {
    const blocks = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        name.map((each) => tarHeader(each, 700, 0)),
      ),
    );
    await fc.assert(
      fc.asyncProperty(blocks, sizes, async (some, sizes) => {
        const got = await readBoth(concat(...some), sizes);
        expect(typeof got.streamed).toBe("string");
        expect(typeof got.placed).toBe("string");
      }),
    );
  });

  it("that is cut anywhere before its end is refused", async () => {
    await fc.assert(
      fc.asyncProperty(pieces, sizes, fc.nat(), async (some, sizes, where) => {
        const whole = packOf(some).subarray(0, -TAR_BLOCK); // one block of zeros is an end already
        const got = await readBoth(whole.subarray(0, where % whole.length), sizes);
        expect(got.streamed).toMatch(/broke off/);
        expect(got.placed).toMatch(/torn/);
      }),
    );
  });

  it("with a byte of a header changed is refused, or is the same pack", async () => {
    await fc.assert(
      fc.asyncProperty(
        pieces,
        sizes,
        fc.nat(TAR_BLOCK - 1),
        fc.integer({ min: 1, max: 255 }),
        async (some, sizes, at, by) => {
          fc.pre(some.length > 0);
          const whole = packOf(some);
          whole[at]! ^= by;
          const got = await readBoth(whole, sizes);
          if (typeof got.streamed !== "string") expect(got.streamed).toEqual(plain(some));
          if (typeof got.placed !== "string") expect(got.placed).toEqual(plain(some));
        },
      ),
    );
  });

  it("that holds a name twice is refused, so that nobody reads one file and checks the other", async () => {
    await fc.assert(
      fc.asyncProperty(pieces, sizes, fc.nat(), async (some, sizes, which) => {
        fc.pre(some.length > 0);
        const again = { ...some[which % some.length]!, bytes: Uint8Array.of(1) };
        const got = await readBoth(packOf([...some, again]), sizes);
        expect(got.streamed).toMatch(/twice/);
        expect(got.placed).toMatch(/twice/);
      }),
    );
  });
});
