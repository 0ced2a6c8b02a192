/** A workstation's signature over its trail's size and root: the C2SP tlog-checkpoint, so others' tools can check it. */
import { fromBase64, toBase64 } from "../base/bytes.ts";
import { HASH_BYTES, type Hash, type Sign, type Verify } from "../base/crypto.ts";
import type { TrailId, WorkstationId } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { openNote, signNote } from "./note.ts";

export type Checkpoint = { origin: string; size: number; root: Uint8Array };

/** A trail's name: the checkpoint's origin and the note's key name. The console's own trail has no workstation. */
export const origin = (workstation: WorkstationId | "console", trail: TrailId): string =>
  `sallyport/${workstation}/${trail}`;

/** C2SP tlog-checkpoint: origin, size in decimal, root in base64, each with LF. */
export const checkpointText = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${toBase64(root)}\n`;

/** The whole note (C2SP signed-note), signed under the origin as the key's name. */
export function signCheckpoint(hash: Hash, sign: Sign, publicKey: Uint8Array, checkpoint: Checkpoint): string {
  return signNote(hash, sign, checkpoint.origin, publicKey, checkpointText(checkpoint));
}

/** Reads the three lines without believing them. */
export function readCheckpoint(untrusted: string): Result<Checkpoint> {
  const [origin, size, root, ...rest] = untrusted.split("\n");
  if (
    !origin ||
    !/^(?:0|[1-9]\d{0,15})$/.test(size ?? "") ||
    !Number.isSafeInteger(Number(size)) ||
    rest.length === 0
  ) {
    return fail("a checkpoint is three lines: origin, size, root");
  }
  try {
    const bytes = fromBase64(root ?? "");
    return bytes.length === HASH_BYTES ? ok({ origin, size: Number(size), root: bytes }) : fail("a root is 32 bytes");
  } catch {
    return fail("the checkpoint's root is no base64");
  }
}

/** The checkpoint, if `publicKey` signed it under this `origin`. */
export function openCheckpoint(
  hash: Hash,
  verify: Verify,
  origin: string,
  publicKey: Uint8Array,
  untrusted: string,
): Result<Checkpoint> {
  const text = openNote(hash, verify, origin, publicKey, untrusted);
  if (!text.ok) return text;
  const checkpoint = readCheckpoint(text.value);
  if (checkpoint.ok && checkpoint.value.origin !== origin)
    return fail(`a checkpoint of ${checkpoint.value.origin}, not of ${origin}`);
  return checkpoint;
}
