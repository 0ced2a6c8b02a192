/** disk applier, command → the guest's volume, by cryptsetup and its kin. No pass phrase is ever an argument of a program:
 *  keys go in by its standard input. */
import { createHash, randomFillSync } from "node:crypto";
import { lstat, open, stat, unlink } from "node:fs/promises";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { HEADER_CHARS_MAX, type Header, readHeader } from "@sallyport/shared/disk/header.ts";
import { z } from "zod";
import { sha256 } from "./crypto.ts";
import { eachPiece, inMemory, isBlank } from "./disk-bytes.ts";
import { type Dom0, DoorError, type Ran } from "./dom0.ts";
import { isMapped, mappedFrom } from "./mappings.ts";
import { faultOfReach } from "./reach.ts";
import { isUntouched, systemTpm, type Tpm } from "./tpm.ts";

/** By what is found at its known places; `uuids` of every LUKS header there, the second copy's too, and in `what` all
 *  that `wipefs` knows of it. `blank`: no signature is known and the first mebibyte is nothing but zeros. */
export type Looked =
  | { is: "absent" }
  | { is: "blank" }
  | { is: "luks2"; uuid: string; header: Header; what: string }
  | { is: "other"; what: string; uuids: string[] };

export type Disk = {
  /** @throws DoorError where one may not look, or a program is not there */
  look(device: string): Promise<Looked>;
  /** How many bytes it has: a file, or a block device. */
  size(device: string): Promise<number>;
  /** sha256 of the first so many bytes, or of all where there are fewer. */
  hash(device: string, bytes: number): Promise<Sha256>;
  /** Whether this mapping is there; nothing where the kernel has no device-mapper. @throws DoorError where nobody can tell */
  isOpen(mapping: string): Promise<boolean | undefined>;
  /** Every mapping that has this volume open, whatever its name; nothing and @throws as `isOpen`. */
  holders(volume: string): Promise<string[] | undefined>;
  /** A file of that size, all zeros. @throws DoorError where there is one already */
  create(path: string, bytes: number): Promise<void>;
  /** LUKS2 over whatever is there: the caller has looked. The key is slot 0. */
  format(device: string, key: Uint8Array): Promise<void>;
  addKey(device: string, key: Uint8Array, next: Uint8Array, slot: number): Promise<void>;
  removeKey(device: string, slot: number, key: Uint8Array): Promise<void>;
  /** Whether the key opens it (that slot, or any); tried, and nothing is opened. */
  opens(device: string, key: Uint8Array, slot?: number): Promise<boolean>;
  addToken(
    device: string,
    token: { type: string; keyslots: string[]; [more: string]: Json | readonly number[] },
  ): Promise<void>;
  removeToken(device: string, id: number): Promise<void>;
  /** Every key of it is destroyed. */
  erase(device: string): Promise<void>;
  /** Random bytes over the first so many, on the disk when it returns. */
  overwrite(device: string, bytes: number): Promise<void>;
  /** The mapping is gone, also where it is in use: then all that reads from it fails. */
  close(mapping: string): Promise<void>;
  /** A file overwritten and gone. @throws DoorError also where it cannot be seen: that is not absent */
  remove(path: string): Promise<"gone" | "absent">;
  /** Why what lies at a path could not be destroyed by `remove`; nothing where it could. */
  faultOfReach(path: string): Promise<string | undefined>;
  hasTpm(): Promise<boolean>;
  /** A new key of it, held by this machine's TPM2, in the place of those that it held before. @throws DoorError where there
   *  is none, or nothing was measured into one of the registers */
  enrolTpm(device: string, key: Uint8Array, bound: Bound): Promise<void>;
};

/** Argon2id takes seconds by design, and minutes on a machine that is busy. */
const PROGRAM_MS_MAX = 300_000;
/** Bounds what a damaged header can make us read or write: LUKS2's largest is 4 MiB of metadata and 128 MiB of keys. */
export const AREA_BYTES_MAX = 256 * 1024 * 1024;
const PACKAGE: Record<string, string> = {
  cryptsetup: "cryptsetup-bin",
  wipefs: "util-linux",
  blockdev: "util-linux",
  dmsetup: "dmsetup",
  // a package of its own since trixie; before it was in systemd itself
  "systemd-cryptenroll": "systemd-cryptsetup",
};

/** What `other` is where no signature tells: somebody's bytes, or what overwriting left. */
export const NO_KNOWN_KIND = "bytes of no known kind";

/** `pin` is asked for at each boot, and the TPM counts wrong ones. */
export type Bound = { pcrs: readonly number[]; pin?: string };

/** How keys are stretched; absent: as cryptsetup does, for a second of this machine's time. */
export type Stretch = readonly string[];

export function cryptsetupDisk(
  dom0: Pick<Dom0, "run" | "list" | "readText">,
  stretch: Stretch = [],
  tpm: Tpm = systemTpm(dom0),
): Disk {
  const run = (program: string, args: readonly string[], input?: Uint8Array, environment?: Record<string, string>) =>
    dom0
      .run(program, args, {
        timeoutMs: PROGRAM_MS_MAX,
        outputBytesMax: 2 * HEADER_CHARS_MAX,
        ...(input !== undefined && { input }),
        ...(environment && { environment }),
      })
      .catch((error: Error) => {
        throw new DoorError(`${error.message} (apt-get install ${PACKAGE[program] ?? program})`, { cause: error });
      });
  const must = async (...[program, args, input, environment]: Parameters<typeof run>): Promise<string> => {
    const ran = await run(program, args, input, environment);
    if (ran.code !== 0) throw new DoorError(`${program} ${args[0]} ${args.at(-1)}: ${wordsOf(ran)}`);
    return ran.stdout;
  };
  const cryptsetup = (args: readonly string[], input?: Uint8Array) => must("cryptsetup", args, input);

  return {
    async look(device) {
      if (!(await stat(device).catch(absent))) return { is: "absent" };
      const signatures = readSignatures(await must("wipefs", ["--no-act", "--json", device]));
      const uuids = signatures.flatMap(({ type, uuid }) => (type === "crypto_LUKS" && uuid ? [uuid] : []));
      if (signatures.length === 0) {
        return (await isBlank(device)) ? { is: "blank" } : { is: "other", what: NO_KNOWN_KIND, uuids };
      }
      const what = [...new Set(signatures.map(({ type }) => type))].join(", ").slice(0, 200);
      if (uuids.length === 0) return { is: "other", what, uuids };
      const dumped = await run("cryptsetup", ["luksDump", "--dump-json-metadata", device]);
      const header = dumped.code === 0 ? readHeader(sha256, dumped.stdout) : undefined;
      if (!header?.ok) {
        const isFirst = (await run("cryptsetup", ["isLuks", "--type", "luks1", device])).code === 0;
        const why = isFirst
          ? "LUKS1, which holds no tokens and stretches keys weakly; make it LUKS2 (`cryptsetup convert`, or a new volume)"
          : `${what}, with no LUKS2 header that can be read`;
        return { is: "other", what: why, uuids };
      }
      return { is: "luks2", uuid: (await cryptsetup(["luksUUID", device])).trim(), header: header.value, what };
    },
    async size(device) {
      const found = await stat(device).catch(absent);
      if (!found) throw new DoorError(`there is no ${device}`);
      if (!found.isBlockDevice()) return found.size;
      return Number((await must("blockdev", ["--getsize64", device])).trim());
    },
    async hash(device, bytes) {
      const hash = createHash("sha256");
      await eachPiece(device, "r", bytes, async (file, at, chunk) => {
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
        hash.update(chunk.subarray(0, bytesRead));
        return bytesRead;
      });
      return hash.digest("hex") as Sha256;
    },
    isOpen: (mapping) => isMapped(dom0, nameOf(mapping)),
    holders: (volume) => mappedFrom(dom0, volume),
    async create(path, bytes) {
      const file = await open(path, "wx", 0o600).catch((error: Error) => {
        throw new DoorError(`cannot make ${path}: ${error.message}`, { cause: error });
      });
      try {
        await file.truncate(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    },
    format: async (device, key) =>
      void (await cryptsetup(
        ["luksFormat", "--batch-mode", "--type", "luks2", "--key-slot", "0", ...stretch, "--key-file", "-", device],
        key,
      )),
    async addKey(device, key, next, slot) {
      // both come by standard input, the first ended by its length
      const sizes = ["--keyfile-size", String(key.length), "--new-keyfile-size", String(next.length)];
      const args = ["luksAddKey", "--batch-mode", "--key-slot", String(slot), ...stretch, ...sizes];
      await cryptsetup([...args, "--key-file", "-", device, "-"], Buffer.concat([key, next]));
    },
    removeKey: async (device, slot, key) =>
      void (await cryptsetup(["luksKillSlot", "--batch-mode", "--key-file", "-", device, String(slot)], key)),
    async opens(device, key, slot) {
      const only = slot === undefined ? [] : ["--key-slot", String(slot)];
      const args = ["open", "--test-passphrase", ...only, "--key-file", "-", device];
      const ran = await run("cryptsetup", args, key);
      if (ran.code === 0) return true;
      // 2: no key there is for this pass phrase; 1: no slot at all
      if (ran.code === 2 || /No usable keyslot|No key available|not active/.test(ran.stderr)) return false;
      throw new DoorError(`cryptsetup cannot try a key on ${device}: ${wordsOf(ran)}`);
    },
    addToken: async (device, token) =>
      void (await cryptsetup(["token", "import", "--json-file", "-", device], Buffer.from(JSON.stringify(token)))),
    removeToken: async (device, id) => void (await cryptsetup(["token", "remove", "--token-id", String(id), device])),
    erase: async (device) => void (await cryptsetup(["luksErase", "--batch-mode", device])),
    async overwrite(device, bytes) {
      await eachPiece(device, "r+", bytes, async (file, at, chunk) => {
        const { bytesWritten } = await file.write(randomFillSync(chunk), 0, chunk.length, at);
        return bytesWritten;
      });
    },
    async close(mapping) {
      const name = nameOf(mapping);
      if ((await run("cryptsetup", ["close", name])).code === 0) return;
      // in use: its table becomes one that answers every read with an error, and its key is gone from memory
      await must("dmsetup", ["wipe_table", "--force", name]);
    },
    async remove(path) {
      const other = await faultOfKind(path);
      if (other !== undefined) throw new DoorError(other);
      // before it is gone: a stand-in's own file may lie there, and the one that was meant is another
      const fault = await faultOfReach(dom0, path);
      const found = await stat(path).catch(absent);
      if (found) {
        await this.overwrite(path, found.size);
        await unlink(path);
      } else if (await lstat(path).catch(absent))
        throw new DoorError(`${path} is a link to what the agent cannot see: name what it leads to`);
      if (fault !== undefined) throw new DoorError(fault);
      return found ? "gone" : "absent";
    },
    faultOfReach: async (path) => (await faultOfKind(path)) ?? (await faultOfReach(dom0, path)),
    hasTpm: () => tpm.isThere(),
    async enrolTpm(device, key, { pcrs, pin }) {
      if (!(await tpm.isThere())) throw new DoorError("There is no TPM on this machine: no key can be held by one.");
      for (const index of pcrs) await mustBeMeasured(tpm, index);
      const with_ = pin === undefined ? [] : ["--tpm2-with-pin=yes"];
      await inMemory(key, (path) =>
        must(
          "systemd-cryptenroll",
          [
            ...[`--tpm2-device=${tpm.device}`, `--tpm2-pcrs=${pcrs.join("+")}`, ...with_],
            ...["--wipe-slot=tpm2", `--unlock-key-file=${path}`, device],
          ],
          undefined,
          pin === undefined ? undefined : { NEWPIN: pin },
        ),
      );
    },
  };
}

/** A key that is bound to what nobody measures is bound to nothing: systemd would say so and go on. */
async function mustBeMeasured(tpm: Tpm, index: number): Promise<void> {
  const found = await tpm.pcr(index);
  if (found === undefined)
    throw new DoorError(`PCR ${index} of this machine's TPM cannot be read. Nothing was changed.`);
  if (isUntouched(found))
    throw new DoorError(
      `Nothing was ever measured into PCR ${index} of this machine: a key that is bound to it is bound to nothing. Nothing was changed. Boot by UEFI, with GRUB from a signed image, or name other PCRs (docs/disk.md).`,
    );
}

/** A device says that it has no bytes, and is not gone with its name. */
async function faultOfKind(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(absent);
  if (!found || found.isFile()) return undefined;
  return `${path} is no file: what lies on a device or in a folder is not destroyed. Keep the copy in a file.`;
}

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw new DoorError(error.message, { cause: error });
};

const Signatures = z.object({
  signatures: z.array(z.object({ type: z.string().max(128), uuid: z.string().max(64).nullish() })).max(256),
});

/** wipefs prints nothing at all where it finds nothing. */
function readSignatures(untrusted: string): z.infer<typeof Signatures>["signatures"] {
  if (untrusted.trim() === "") return [];
  try {
    return Signatures.parse(JSON.parse(untrusted)).signatures;
  } catch (cause) {
    throw new DoorError("wipefs prints what cannot be read", { cause });
  }
}

/** @throws DoorError for what device-mapper would take for an option or a path */
function nameOf(mapping: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,126}$/.test(mapping)) throw new DoorError(`${mapping} is no name of a mapping`);
  return mapping;
}

function wordsOf({ code, stderr, timedOut }: Ran): string {
  if (timedOut) return `it took longer than ${PROGRAM_MS_MAX / 60_000} minutes`;
  return (stderr.split("\n").find((line) => line.trim()) ?? `exit ${code}`).trim().slice(0, 400);
}
