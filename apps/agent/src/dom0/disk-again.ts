/** A volume looked at again and again: while its header is the same, byte for byte and on the disk itself, what was read of it
 *  holds, and no program is started. Whatever differs, fails or is absent is looked at anew. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import type { Disk, Looked } from "./disk.ts";
import type { Dom0 } from "./dom0.ts";

/** Also where nothing differs: a device's end has signatures as well. */
const WHOLE_EVERY_MS = 600_000;
/** Direct reads begin and end at sectors; none is larger. */
const SECTOR_BYTES = 4096;

// Node has it; the types that know it are the browser's
declare const WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => { buffer: ArrayBuffer } };

/** `mark` is of exactly the header that `looked` was read from. */
type Known = { looked: Extract<Looked, { is: "luks2" }>; mark: string; at: number };

/** One look at a time. */
export function lookingAgain(
  disk: Pick<Disk, "look" | "hash">,
  dom0: Pick<Dom0, "facts" | "monotonic">,
): Pick<Disk, "look"> {
  let headerBytes: number | undefined;
  let known: Known | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const direct = directReader();

  const markOf = async (device: string, bytes: number): Promise<string | undefined> => {
    try {
      const facts = await dom0.facts(device);
      if (!facts) return undefined;
      const isBlock = (await stat(device)).isBlockDevice();
      const header = isBlock ? await direct(device, bytes) : await disk.hash(device, bytes);
      return [device, facts.device, facts.inode, facts.size, bytes, header].join(" ");
    } catch {
      return undefined;
    }
  };
  const look = async (device: string): Promise<Looked> => {
    const before = headerBytes === undefined ? undefined : await markOf(device, headerBytes);
    const at = dom0.monotonic();
    if (known && known.mark === before && at - known.at < WHOLE_EVERY_MS) return known.looked;
    known = undefined;
    const looked = await disk.look(device);
    headerBytes = looked.is === "luks2" ? looked.header.headerBytes : undefined;
    if (looked.is !== "luks2" || headerBytes === undefined || before === undefined) return looked;
    // the same before and after: what was read in between is of this header
    if ((await markOf(device, headerBytes)) === before) known = { looked, mark: before, at };
    return looked;
  };
  return {
    look(device) {
      const next = turn.then(() => look(device));
      turn = next.catch(() => undefined);
      return next;
    },
  };
}

/** Past the kernel's cache, which does not see what another way to the same disk wrote, nor that the disk is gone. One
 *  reading at a time: the memory is one. */
function directReader(): (device: string, bytes: number) => Promise<Sha256> {
  // memory that begins at a page, as direct reads want it
  let memory: Uint8Array | undefined;
  return async (device, bytes) => {
    memory ??= new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
    const hash = createHash("sha256");
    const file = await open(device, constants.O_RDONLY | constants.O_DIRECT);
    try {
      for (let at = 0; at < bytes; ) {
        const wanted = Math.min(memory.length, bytes - at);
        const { bytesRead } = await file.read(memory, 0, Math.ceil(wanted / SECTOR_BYTES) * SECTOR_BYTES, at);
        if (bytesRead < wanted) throw new Error(`${device} ends within its header`);
        hash.update(memory.subarray(0, wanted));
        at += wanted;
      }
      return hash.digest("hex") as Sha256;
    } finally {
      await file.close();
    }
  };
}
