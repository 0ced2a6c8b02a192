import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash } from "../../test/keys.ts";
import { levelsOf, readBundle, TILE_WIDTH, Tiler, tileBytes, tilePath, tilesOf, writeBundle } from "./layout.ts";
import { appendAll, EMPTY_EDGE, root } from "./tree.ts";

describe("the layout of an exported trail", () => {
  it("names tiles as tlog-tiles does", () => {
    expect(tilePath(0, 1234067, 256)).toBe("tile/0/x001/x234/067");
    expect(tilePath(1, 0, 3)).toBe("tile/1/000.p/3");
    expect(tilePath("entries", 999, 256)).toBe("tile/entries/999");
    expect(tilePath("contents", 1000, 7)).toBe("contents/x001/000.p/7");
  });

  it("lists the tiles of each level, the partial one last", () => {
    expect([...tilesOf(0, 0)]).toEqual([]);
    expect([...tilesOf(0, 257)]).toEqual([
      { index: 0, width: 256 },
      { index: 1, width: 1 },
    ]);
    expect([...tilesOf(1, 600)]).toEqual([{ index: 0, width: 2 }]);
    expect([levelsOf(0), levelsOf(255), levelsOf(256), levelsOf(65_536)]).toEqual([0, 1, 2, 3]);
  });

  it("reads back any bundle it wrote, and any bytes without throwing", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 200 })), (entries) => {
        expect(readBundle(writeBundle(entries))).toEqual(entries);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        readBundle(bytes);
      }),
    );
  });

  it("makes the tiles of each level, whose roots are the tree's", () => {
    const size = TILE_WIDTH * 2 + 5;
    const leaves = Array.from({ length: size }, (_, at) => hash(Uint8Array.of(at & 255, at >> 8)));
    const tiler = new Tiler(hash);
    const tiles = [...leaves.flatMap((leaf) => tiler.add(leaf)), ...tiler.rest()];
    expect(tiles.map(({ level, index, hashes }) => [level, index, hashes.length])).toEqual([
      [0, 0, 256],
      [0, 1, 256],
      [0, 2, 5],
      [1, 0, 2],
    ]);
    const whole = appendAll(hash, EMPTY_EDGE, leaves);
    const upper = tiles.at(-1)!.hashes;
    const pair = hash(Uint8Array.of(1, ...upper[0]!, ...upper[1]!));
    const right = root(hash, appendAll(hash, EMPTY_EDGE, tiles[2]!.hashes));
    expect(root(hash, whole)).toEqual(hash(Uint8Array.of(1, ...pair, ...right)));
    expect(tileBytes(upper)).toHaveLength(64);
  });
});
