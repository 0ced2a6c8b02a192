/** A LUKS2 header as `cryptsetup luksDump --dump-json-metadata` prints it → what is reported of a volume. Bounded; what
 *  is not ours to know is left out, and what nobody here can vouch for is said (amiss.ts). */
import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { KeyId, Sha256 } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { amissOf, isReal } from "./amiss.ts";
import { Dumped } from "./dumped.ts";

/** LUKS2's JSON area is at most 4 MiB less its binary header (LUKS2 On-Disk Format Specification 1.1, 2.2). */
export const HEADER_CHARS_MAX = 4 * 1024 * 1024;

/** What marks a key as the recovery key's: `sealed` is the sha256 of what is sealed, `key` the `id` that the slot had,
 *  `instead` the slots whose keys it takes the place of. */
const Mark = z.object({ sealed: Sha256, key: Sha256, to: KeyId, instead: z.array(z.int()).default([]) });
export type Mark = z.infer<typeof Mark>;

/** `id`: sha256 over how the key lies in its slot, its fresh salt among it: another key in the same slot has another. */
export type HeaderSlot = { slot: number; kdf: string; keyBits: number; id: Sha256 };
export type HeaderToken = {
  id: number;
  type: string;
  slots: number[];
  mark?: Mark;
  tpm2?: { pcrs: number[]; pin: boolean };
};

/** `headerBytes`: both copies of the metadata; `areaBytes`: those and all keys, up to where the data begins. `slots` are
 *  those that open something of it. `amiss`: what is not as a volume at rest should be, in words. */
export type Header = {
  cipher: string;
  sectorBytes: number;
  integrity?: string;
  slots: HeaderSlot[];
  /** Every slot that is not free, whatever lies in it. */
  taken: number[];
  tokens: HeaderToken[];
  headerBytes: number;
  areaBytes: number;
  amiss: string[];
  /** Something of it can be read with no key: destroying keys does not destroy it. */
  isPlain: boolean;
  /** The data is elsewhere. */
  isDetached: boolean;
};

/** The binary header before the JSON area; `json_size` counts the JSON area alone. */
const BINARY_HEADER_BYTES = 4_096;

/** Bounded by HEADER_CHARS_MAX and 32 slots; never throws. */
export function readHeader(hash: Hash, untrusted: string): Result<Header> {
  if (untrusted.length > HEADER_CHARS_MAX) return fail(`the header has ${untrusted.length} characters`);
  try {
    const json = JSON.parse(untrusted) as { keyslots: Record<string, unknown> };
    const read = Dumped.safeParse(json);
    if (!read.success) return fail(z.prettifyError(read.error));
    return headerOf(read.data, (slot) => toHex(hash(canonicalBytes(json.keyslots[slot]))) as Sha256);
  } catch (error) {
    return fail(`the header is no JSON: ${(error as Error).message}`);
  }
}

function headerOf(dumped: Dumped, idOf: (slot: string) => Sha256): Result<Header> {
  const { keyslots, tokens, segments, digests, config } = dumped;
  const all = Object.values(segments);
  const live = all.filter(isReal);
  if (live.length === 0) return fail("the header names no data");
  const crypt = live.find(({ encryption }) => encryption !== undefined);
  const opening = new Set(
    Object.values(digests)
      .filter((digest) => digest.segments.some((at) => segments[at]?.encryption !== undefined))
      .flatMap((digest) => digest.keyslots),
  );
  const headerBytes = 2 * (BINARY_HEADER_BYTES + config.json_size);
  const begins = Math.min(...all.filter(({ type }) => type.endsWith("crypt")).map(({ offset }) => offset));
  return ok({
    cipher: crypt?.encryption ?? "none",
    sectorBytes: crypt?.sector_size ?? 512,
    ...(crypt?.integrity && { integrity: crypt.integrity.type }),
    slots: Object.entries(keyslots)
      .filter(([slot, { type }]) => type === "luks2" && opening.has(slot))
      .map(([slot, { kdf, key_size }]) => ({
        slot: Number(slot),
        kdf: kdf?.type ?? "unknown",
        keyBits: key_size * 8,
        id: idOf(slot),
      })),
    taken: Object.keys(keyslots).map(Number),
    tokens: Object.entries(tokens).map(([id, token]) => tokenOf(Number(id), token)),
    headerBytes,
    // a detached header's data begins at 0: then its own sizes say how long it is
    areaBytes: Math.max(Number.isFinite(begins) ? begins : 0, headerBytes + config.keyslots_size),
    ...amissOf(dumped),
  });
}

function tokenOf(id: number, token: Dumped["tokens"][string]): HeaderToken {
  const { type, keyslots } = token;
  const mark = Mark.safeParse(token);
  const pcrs = token["tpm2-pcrs"];
  return {
    id,
    type,
    slots: keyslots.map(Number),
    ...(mark.success && { mark: mark.data }),
    ...(pcrs && { tpm2: { pcrs, pin: token["tpm2-pin"] ?? false } }),
  };
}
