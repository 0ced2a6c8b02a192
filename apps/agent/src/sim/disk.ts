/** Pretend volumes in memory, with cryptsetup's promises: keys open slots, an erased header opens for nobody. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import type { HeaderToken, Mark } from "@sallyport/shared/disk/header.ts";
import { type Disk, NO_KNOWN_KIND } from "../dom0/disk.ts";
import { DoorError } from "../dom0/dom0.ts";

/** `id` is another for each key that is added, also where it is the same. */
type Slot = { key: string; id: Sha256 };
type Luks = { uuid: string; slots: Map<number, Slot>; tokens: HeaderToken[] };
/** `noise` stands for bytes nobody knows; `luks` and `foreign` for what has a signature. */
type Medium = { bytes: number; luks?: Luks; foreign?: string; noise?: string };

export type SimDisk = Disk & {
  /** Lays a medium there, with a foreign signature where one is given. */
  lay(path: string, bytes: number, foreign?: string): void;
  /** `device`: the volume that it has open; without one, nobody knows what it holds. */
  openAs(mapping: string, device?: string): void;
  /** What lies in this folder is there, and cannot be seen. */
  hide(folder: string): void;
  /** Without one nothing can be open. */
  deviceMapper: boolean;
  tpm: boolean;
};

const HEADER_BYTES = 32_768;
const AREA_BYTES = 16_777_216;
const text = (key: Uint8Array) => Buffer.from(key).toString("hex");

export function simDisk(): SimDisk {
  const media = new Map<string, Medium>();
  const open = new Map<string, string | undefined>();
  const hidden = new Set<string>();
  const hides = (path: string) => [...hidden].some((folder) => path.startsWith(`${folder}/`));
  const at = (path: string): Medium => {
    const medium = media.get(path);
    if (!medium) throw new DoorError(`there is no ${path}`);
    return medium;
  };
  const luks = (path: string): Luks => {
    const found = at(path).luks;
    if (!found) throw new DoorError(`Device ${path} is not a valid LUKS device.`);
    return found;
  };
  const slotOf = (volume: Luks, key: Uint8Array) => [...volume.slots].find(([, each]) => each.key === text(key))?.[0];
  const fresh = (key: string): Slot => ({ key, id: randomBytes(32).toString("hex") as Sha256 });
  const fresher = ({ tokens }: Luks): number => Math.max(-1, ...tokens.map(({ id }) => id)) + 1;
  return {
    tpm: false,
    lay: (path, bytes, foreign) => void media.set(path, { bytes, ...(foreign !== undefined && { foreign }) }),
    deviceMapper: true,
    openAs: (mapping, device) => void open.set(mapping, device && luks(device).uuid),
    hide: (folder) => void hidden.add(folder),
    async look(path) {
      const medium = media.get(path);
      if (!medium) return { is: "absent" };
      const { luks: volume, foreign, noise } = medium;
      if (volume) {
        const slots = [...volume.slots].map(([slot, { id }]) => ({ slot, kdf: "argon2id", keyBits: 512, id }));
        const { uuid, tokens } = volume;
        const sizes = { headerBytes: HEADER_BYTES, areaBytes: AREA_BYTES };
        const whole = { amiss: [], isPlain: false, isDetached: false };
        const taken = [...volume.slots.keys()];
        const header = { cipher: "aes-xts-plain64", sectorBytes: 4096, slots, taken, tokens, ...sizes, ...whole };
        return { is: "luks2", uuid, header, what: "crypto_LUKS" };
      }
      if (foreign === undefined && noise === undefined) return { is: "blank" };
      return { is: "other", what: foreign ?? NO_KNOWN_KIND, uuids: [] };
    },
    size: async (path) => at(path).bytes,
    async hash(path, bytes) {
      const { luks: volume, foreign, noise, bytes: length } = at(path);
      const slots = volume ? [...volume.slots] : [];
      const said = JSON.stringify([Math.min(bytes, length), volume?.uuid, slots, volume?.tokens, foreign, noise]);
      return createHash("sha256").update(said).digest("hex") as Sha256;
    },
    async isOpen(mapping) {
      return this.deviceMapper ? open.has(mapping) : undefined;
    },
    async holders(volume) {
      const of = [...open].filter(([, uuid]) => uuid === volume).map(([mapping]) => mapping);
      return this.deviceMapper ? of : undefined;
    },
    async create(path, bytes) {
      if (media.has(path)) throw new DoorError(`cannot make ${path}: it exists`);
      media.set(path, { bytes });
    },
    async format(path, key) {
      const { bytes } = at(path);
      media.set(path, { bytes, luks: { uuid: randomUUID(), slots: new Map([[0, fresh(text(key))]]), tokens: [] } });
    },
    async addKey(path, key, next, slot) {
      const volume = luks(path);
      if (slotOf(volume, key) === undefined) throw new DoorError("No key available with this passphrase.");
      if (volume.slots.has(slot)) throw new DoorError(`Key slot ${slot} is full, please select another one.`);
      volume.slots.set(slot, fresh(text(next)));
    },
    async removeKey(path, slot, key) {
      const volume = luks(path);
      if (slotOf(volume, key) === undefined) throw new DoorError("No key available with this passphrase.");
      volume.slots.delete(slot);
      for (const token of volume.tokens) token.slots = token.slots.filter((each) => each !== slot);
    },
    async opens(path, key, slot) {
      const volume = luks(path);
      return slot === undefined ? slotOf(volume, key) !== undefined : volume.slots.get(slot)?.key === text(key);
    },
    async addToken(path, { type, keyslots, sealed, key, to, instead }) {
      const mark = sealed !== undefined && { mark: { sealed, key, to, instead } as Mark };
      luks(path).tokens.push({ id: fresher(luks(path)), type, slots: keyslots.map(Number), ...mark });
    },
    async removeToken(path, id) {
      const volume = luks(path);
      volume.tokens = volume.tokens.filter((each) => each.id !== id);
    },
    async erase(path) {
      luks(path).slots.clear();
    },
    async overwrite(path) {
      const { bytes } = at(path);
      media.set(path, { bytes, noise: randomBytes(8).toString("hex") });
    },
    async close(mapping) {
      if (!open.delete(mapping)) throw new DoorError(`Device ${mapping} is not active.`);
    },
    async remove(path) {
      const fault = await this.faultOfReach(path);
      if (fault !== undefined) throw new DoorError(fault);
      return media.delete(path) ? "gone" : "absent";
    },
    faultOfReach: async (path) => (hides(path) ? `what lies at ${path} is hidden from the agent` : undefined),
    async hasTpm() {
      return this.tpm;
    },
    async enrolTpm(path, key, { pcrs, pin }) {
      if (!this.tpm) throw new DoorError("There is no TPM on this machine: no key can be held by one.");
      const volume = luks(path);
      if (slotOf(volume, key) === undefined) throw new DoorError("No key available with this passphrase.");
      for (const token of volume.tokens.filter(({ type }) => type === "systemd-tpm2"))
        for (const held of token.slots) volume.slots.delete(held);
      volume.tokens = volume.tokens.filter(({ type }) => type !== "systemd-tpm2");
      const slot = [...Array(32).keys()].find((each) => !volume.slots.has(each))!;
      volume.slots.set(slot, fresh(randomBytes(32).toString("hex")));
      volume.tokens.push({
        id: fresher(volume),
        type: "systemd-tpm2",
        slots: [slot],
        tpm2: { pcrs: [...pcrs], pin: pin !== undefined },
      });
    },
  };
}
