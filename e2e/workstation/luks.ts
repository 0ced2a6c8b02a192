/** A file system image → the same on a LUKS2 volume, written as a plain file: no device-mapper, no privileges. */
import { createCipheriv, randomBytes } from "node:crypto";
import { open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { programOf, type Root } from "../../packages/hv-patches/tools/debian.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";

const SECTOR_BYTES = 512;
/** aes-256-xts takes two keys of 256 bits. */
const VOLUME_KEY_BYTES = 64;
/** Room for both headers and the key slots: what cryptsetup takes by default. */
const DATA_OFFSET_BYTES = 16 * 1024 * 1024;
/** Cheap on purpose: this volume guards nothing, and a real derivation takes a minute under emulation. */
const ITERATIONS = 1000;

/** aes-xts-plain64: each sector is encrypted by itself, its number (little endian) is the tweak. */
export function encryptSectors(plain: Uint8Array, volumeKey: Uint8Array): Uint8Array {
  const out = Buffer.alloc(plain.length);
  for (let at = 0; at < plain.length; at += SECTOR_BYTES) {
    const tweak = Buffer.alloc(16);
    tweak.writeBigUInt64LE(BigInt(at / SECTOR_BYTES));
    createCipheriv("aes-256-xts", volumeKey, tweak)
      .update(plain.subarray(at, at + SECTOR_BYTES))
      .copy(out, at);
  }
  return out;
}

/** Writes `volume` (a raw image holding a LUKS2 header and the encrypted `plain`), opened by the bytes of `keyFile`. */
export async function luksVolume(root: Root, plain: string, volume: string, keyFile: string): Promise<void> {
  const content = await readFile(plain);
  const volumeKey = randomBytes(VOLUME_KEY_BYTES);
  const volumeKeyFile = `${volume}.volume-key`;
  await writeFile(volumeKeyFile, volumeKey, { mode: 0o600 });
  await writeFile(volume, "");
  await truncate(volume, DATA_OFFSET_BYTES + content.length);
  try {
    const { program, args } = programOf(root, "usr/sbin/cryptsetup");
    const kind = ["luksFormat", "--batch-mode", "--type", "luks2", "--label", "guest"];
    const cipher = ["--cipher", "aes-xts-plain64", "--key-size", "512", "--sector-size", String(SECTOR_BYTES)];
    const derivation = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", String(ITERATIONS)];
    const offset = ["--offset", String(DATA_OFFSET_BYTES / SECTOR_BYTES)];
    const keys = ["--volume-key-file", volumeKeyFile, volume, keyFile];
    await run(program, [...args, ...kind, ...cipher, ...derivation, ...offset, ...keys]);
    const file = await open(volume, "r+");
    await file.write(encryptSectors(content, volumeKey), 0, content.length, DATA_OFFSET_BYTES);
    await file.close();
  } finally {
    await rm(volumeKeyFile, { force: true });
  }
}
