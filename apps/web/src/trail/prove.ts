/** A record proved where it is read: nothing here trusts the console that served it. WebCrypto only gives promises, and
 *  the shared rules want values: what they ask for is computed and they are asked again. */
import { concat, equal, fromBase64, fromHex, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { Hash, HashLater, Verify } from "@sallyport/shared/base/crypto.ts";
import { openCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import { rootFromInclusion } from "@sallyport/shared/trail/proof.ts";
import type { Proof } from "./store.ts";

export type Step = { name: string; ok: boolean; detail: string };
export type Proved = { ok: boolean; steps: Step[]; signed: { size: number; root: string } | undefined };

/** A checkpoint asks for a hash or two and one signature. */
const ROUNDS_MAX = 16;

type Buffered = Uint8Array<ArrayBuffer>;
const owned = (bytes: Uint8Array): Buffered => new Uint8Array(bytes);

const sha256: HashLater = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", owned(bytes)));

async function ed25519(key: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const imported = await crypto.subtle.importKey("raw", owned(key), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", imported, owned(signature), owned(bytes));
}

class Wanted {
  readonly later: () => Promise<void>;
  constructor(later: () => Promise<void>) {
    this.later = later;
  }
}

/** Runs a rule that wants plain values over promises. */
export async function overPromises<T>(rule: (hash: Hash, verify: Verify) => T): Promise<T> {
  const known = new Map<string, Uint8Array | boolean>();
  const ask = <V extends Uint8Array | boolean>(key: string, make: () => Promise<V>): V => {
    const value = known.get(key);
    if (value !== undefined) return value as V;
    throw new Wanted(async () => void known.set(key, await make()));
  };
  const hash: Hash = (bytes) => ask(`h${toHex(bytes)}`, async () => sha256(bytes));
  const verify: Verify = (key, bytes, signature) =>
    ask(`v${toHex(concat(key, signature, bytes))}`, () => ed25519(key, bytes, signature).catch(() => false));
  for (let round = 0; round < ROUNDS_MAX; round++) {
    try {
      return rule(hash, verify);
    } catch (wanted) {
      if (!(wanted instanceof Wanted)) throw wanted;
      await wanted.later();
    }
  }
  throw new Error("the rule asks for ever more");
}

export type Shown = {
  kind: string;
  time: string;
  severity: string;
  guest: string | null;
  salt: string | null;
  content: string | null;
};

/** Content → commitment → entry → leaf → root → signature, each step by itself. `shown` is what the page displays. */
export async function prove(proof: Proof, shown: Shown): Promise<Proved> {
  const steps: Step[] = [];
  const step = (name: string, ok: boolean, detail: string) => steps.push({ name, ok, detail });

  const entry = readEntry(proof.entry);
  const same =
    entry.ok &&
    entry.value.index === proof.index &&
    entry.value.kind === shown.kind &&
    entry.value.time === shown.time &&
    entry.value.severity === shown.severity &&
    (entry.value.guest ?? null) === shown.guest;
  step("Entry", same, same ? "names this index, time, kind and severity" : "does not say what this page shows");

  if (shown.content !== null && shown.salt !== null) {
    const made = toHex(await sha256(concat(fromHex(shown.salt), toUtf8(shown.content))));
    const fits = entry.ok && made === entry.value.content;
    step(
      "Content",
      fits,
      fits ? `its salted hash is the entry's: ${made}` : `hashes to ${made}, not to what the entry says`,
    );
  }

  const leaf = await sha256(concat(Uint8Array.of(0), toUtf8(proof.entry)));
  const root = await rootFromInclusion(sha256, leaf, proof.index, proof.size, proof.path.map(fromBase64));
  const checkpoint = await overPromises((hash, verify) =>
    openCheckpoint(hash, verify, proof.origin, fromBase64(proof.publicKey), proof.checkpoint),
  );
  const signed = checkpoint.ok ? checkpoint.value : undefined;
  step(
    "Checkpoint",
    checkpoint.ok,
    checkpoint.ok ? `size ${checkpoint.value.size}, signed by the trail's key` : checkpoint.error,
  );
  const included = root !== undefined && signed !== undefined && signed.size === proof.size && equal(root, signed.root);
  step(
    "Tree",
    included,
    included
      ? `${proof.path.length} hashes lead from this entry to the signed root`
      : "the hashes do not lead to the signed root",
  );
  return {
    ok: steps.every((each) => each.ok),
    steps,
    signed: signed && { size: signed.size, root: toHex(signed.root) },
  };
}
