import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash } from "../../test/keys.ts";
import { fromHex, toHex } from "../base/bytes.ts";
import { consistencyProof, inclusionProof, isConsistent, rootFromInclusion } from "./proof.ts";
import {
  append,
  appendAll,
  EMPTY_EDGE,
  edgeBytes,
  edgeFromBytes,
  edgeWidth,
  nodeHash,
  root,
  sameEdge,
} from "./tree.ts";

const leafOf = (input: Uint8Array) => hash(Uint8Array.of(0, ...input));

/** Certificate Transparency's reference inputs and roots (RFC 6962). */
const INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const leaves = Array.from({ length: 70 }, (_, at) => leafOf(Uint8Array.of(at)));
const edgeOf = (size: number) => appendAll(hash, EMPTY_EDGE, leaves.slice(0, size));

/** RFC 6962 section 2.1 word for word: what the edge must agree with. */
function mth(from: number, to: number): Uint8Array {
  if (to - from === 1) return leaves[from]!;
  let k = 1;
  while (k * 2 < to - from) k *= 2;
  return nodeHash(hash, mth(from, from + k), mth(from + k, to));
}
const subtree = (level: number, index: number) => mth(index * 2 ** level, (index + 1) * 2 ** level);

describe("the tree", () => {
  it("has Certificate Transparency's roots", () => {
    let edge = EMPTY_EDGE;
    for (const [at, input] of INPUTS.entries()) {
      edge = append(hash, edge, leafOf(fromHex(input)));
      expect(toHex(root(hash, edge))).toBe(ROOTS[at]);
    }
    expect(toHex(root(hash, EMPTY_EDGE))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("is the same however the leaves were grouped, and survives a database row", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 70 }), (a, b) => {
        const [first, second] = a < b ? [a, b] : [b, a];
        const stepped = appendAll(hash, edgeOf(first), leaves.slice(first, second));
        expect(sameEdge(stepped, edgeOf(second))).toBe(true);
        expect(sameEdge(edgeFromBytes(second, edgeBytes(stepped)), stepped)).toBe(true);
        expect(stepped.hashes).toHaveLength(edgeWidth(second));
        if (second > 0) expect(root(hash, stepped)).toEqual(mth(0, second));
      }),
    );
  });

  it("refuses an edge that cannot belong to the size", () => {
    expect(() => edgeFromBytes(3, new Uint8Array(32))).toThrow(RangeError);
  });
});

describe("proofs", () => {
  it("show each leaf to be in each tree, and no other leaf, place or size", async () => {
    for (let size = 1; size <= 33; size++) {
      const top = root(hash, edgeOf(size));
      for (let index = 0; index < size; index++) {
        const path = await inclusionProof(hash, subtree, index, size);
        expect(await rootFromInclusion(hash, leaves[index]!, index, size, path)).toEqual(top);
        expect(await rootFromInclusion(hash, leaves[index + 1]!, index, size, path)).not.toEqual(top);
        if (path.length > 0)
          expect(await rootFromInclusion(hash, leaves[index]!, index, size, path.slice(1))).not.toEqual(top);
      }
    }
  });

  it("show each tree to begin with each older one, and not with another", async () => {
    for (let newer = 1; newer <= 33; newer++) {
      for (let older = 1; older <= newer; older++) {
        const proof = await consistencyProof(hash, subtree, older, newer);
        const a = { size: older, root: root(hash, edgeOf(older)) };
        const b = { size: newer, root: root(hash, edgeOf(newer)) };
        expect(await isConsistent(hash, a, b, proof)).toBe(true);
        expect(await isConsistent(hash, { ...a, root: leaves[69]! }, b, proof)).toBe(false);
        if (older < newer) {
          expect(await isConsistent(hash, a, { ...b, root: leaves[69]! }, proof)).toBe(false);
          expect(await isConsistent(hash, a, b, proof.slice(1))).toBe(false);
          expect(await isConsistent(hash, b, a, proof)).toBe(false);
        }
      }
    }
  });
});
