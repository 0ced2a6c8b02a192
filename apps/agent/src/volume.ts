/** Wires the guest's volume: what looks at it, what tells of it, what wipes it. */
import { join } from "node:path";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { SealedRecovery } from "@sallyport/shared/disk/sealed.ts";
import type { Applier } from "./appliers/applier.ts";
import { diskApplier, lookAtVolume, unknownVolume, type VolumePlace } from "./appliers/disk.ts";
import type { Performer } from "./command/performer.ts";
import { type Escrowed, noVolume, wipePerformer } from "./command/wipe.ts";
import type { AgentConfig } from "./config.ts";
import { sha256 } from "./dom0/crypto.ts";
import { cryptsetupDisk } from "./dom0/disk.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { diskSource } from "./sources/disk/source.ts";
import type { Source } from "./sources/source.ts";

export type Volume = { applier: Applier<"disk">; sources: Source[]; wipe: Performer<"wipe"> };

/** A sealed recovery key in the state folder, until the volume is wiped. */
export const recoveryPath = (state: string, volume: string): string => join(state, `recovery-${volume}.json`);
const RECOVERY_FILE = /^recovery-[0-9a-f-]{36}\.json$/;
const RECOVERY_BYTES_MAX = 16 * 1024;
const RECOVERIES_MAX = 64;

export function volumeOf(config: AgentConfig, state: string, dom0: Dom0): Volume {
  if (!config.disk) return { applier: unknownVolume(), sources: [], wipe: noVolume() };
  const { volume: device, mapping, headerCopies: copies } = config.disk;
  const place: VolumePlace = { device, copies, ...(mapping !== undefined && { mapping }) };
  const disk = cryptsetupDisk(dom0);
  const look = () => lookAtVolume(disk, place);
  const now = () => dom0.now();
  return {
    applier: diskApplier(look),
    sources: [
      diskSource({ look, recoveries: async () => (await recoveriesIn(dom0, state)).map(({ sealed }) => sealed), now }),
    ],
    wipe: wipePerformer({ disk, place, escrow: () => escrowIn(dom0, state), now }),
  };
}

/** A file that cannot be read is none of ours, and stays. */
async function recoveriesIn(
  dom0: Pick<Dom0, "list" | "readText">,
  state: string,
): Promise<{ path: string; sealed: SealedRecovery }[]> {
  const names = ((await dom0.list(state)) ?? []).filter((name) => RECOVERY_FILE.test(name)).slice(0, RECOVERIES_MAX);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(state, name);
      const sealed = SealedRecovery.safeParse(parsed(await dom0.readText(path, RECOVERY_BYTES_MAX)));
      return sealed.success ? [{ path, sealed: sealed.data }] : [];
    }),
  );
  return found.flat();
}

export const escrowIn = async (dom0: Pick<Dom0, "list" | "readText">, state: string): Promise<Escrowed[]> =>
  (await recoveriesIn(dom0, state)).map(({ path, sealed: { volume, ciphertext } }) => ({
    volume,
    path,
    ciphertext: toHex(sha256(Buffer.from(ciphertext, "base64"))) as Sha256,
  }));

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}
