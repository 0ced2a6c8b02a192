/** Wires the guest's volume: what looks at it, what tells of it, what wipes it. */
import { join } from "node:path";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Escrow } from "@sallyport/shared/disk/recovery.ts";
import { SealedRecovery, sealedDigest } from "@sallyport/shared/disk/sealed.ts";
import type { Applier } from "./appliers/applier.ts";
import { diskApplier, lookAtVolume, unknownVolume, type VolumePlace } from "./appliers/disk.ts";
import type { Performer } from "./command/performer.ts";
import { type Escrowed, noVolume, type WipedVolumes, wipePerformer } from "./command/wipe.ts";
import type { AgentConfig } from "./config.ts";
import { sha256 } from "./dom0/crypto.ts";
import { cryptsetupDisk } from "./dom0/disk.ts";
import { lookingAgain } from "./dom0/disk-again.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { keptText } from "./dom0/kept-text.ts";
import { Bell } from "./pace.ts";
import { diskSource, recoveryPosition } from "./sources/disk/source.ts";
import type { Source } from "./sources/source.ts";
import { spoolPath } from "./spool/open.ts";
import { openReadOnly } from "./spool/schema.ts";
import { storeOf } from "./spool/store.ts";

export type Volume = { applier: Applier<"disk">; sources: Source[]; wipe: Performer<"wipe"> };

/** A sealed recovery key in the state folder, until its key is replaced or the volume wiped. */
export const recoveryPath = (state: string, { volume, slot }: Pick<SealedRecovery, "volume" | "slot">): string =>
  join(state, `recovery-${volume}-${slot}.json`);
const RECOVERY_FILE = /^recovery-[0-9a-f-]{36}(?:-\d{1,2})?\.json$/;
const RECOVERY_BYTES_MAX = 16 * 1024;
const RECOVERIES_MAX = 64;
const WIPED_MAX = 64;
const WIPED_BYTES_MAX = 16 * 1024;

export function volumeOf(config: AgentConfig, workstation: WorkstationId, state: string, dom0: Dom0): Volume {
  if (!config.disk) return { applier: unknownVolume(), sources: [], wipe: noVolume() };
  const { volume: device, mapping, headerCopies: copies } = config.disk;
  const place: VolumePlace = { device, copies, ...(mapping !== undefined && { mapping }) };
  const disk = cryptsetupDisk(dom0);
  const again = { ...disk, ...lookingAgain(disk, dom0) };
  const look = () => lookAtVolume(again, place, () => escrowOf(dom0, workstation, state));
  const now = () => dom0.now();
  const seen = new Bell();
  let last: string | undefined;
  const lookAndRing = async () => {
    const found = await look();
    const text = canonicalText(found);
    if (last !== undefined && text !== last) seen.ring();
    last = text;
    return found;
  };
  return {
    applier: diskApplier(lookAndRing),
    sources: [
      diskSource({
        ...{ workstation, look, now, seen },
        recoveries: async () => (await recoveriesIn(dom0, state)).map(({ sealed }) => sealed),
      }),
    ],
    wipe: wipePerformer({ disk, place, escrow: () => escrowIn(dom0, state), wiped: wipedVolumes(dom0, state), now }),
  };
}

/** A volume's UUID a line, in the state folder. */
export function wipedVolumes(dom0: Pick<Dom0, "readText" | "facts">, state: string): WipedVolumes {
  const kept = keptText(dom0, join(state, "wiped-volumes"), WIPED_BYTES_MAX);
  const read = async () => ((await kept.read()) ?? "").split("\n").filter(Boolean);
  return {
    has: async (volume) => (await read()).includes(volume),
    async keep(volume) {
      const others = (await read()).filter((each) => each !== volume);
      kept.write(`${[...others.slice(1 - WIPED_MAX), volume].join("\n")}\n`);
    },
  };
}

/** A file that cannot be read is none of ours, and stays. */
export async function recoveriesIn(
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

/** Its record is on this workstation's trail: then the console has it, or will have. Where nobody can tell, it is not. */
export function isOnTrail(workstation: WorkstationId, state: string, sealed: SealedRecovery): boolean {
  const { name, value } = recoveryPosition(workstation, sealed);
  try {
    const store = storeOf(openReadOnly(spoolPath(state)));
    try {
      return store.position(name) === canonicalText(value);
    } finally {
      store.close();
    }
  } catch {
    return false;
  }
}

export async function escrowOf(
  dom0: Pick<Dom0, "list" | "readText">,
  workstation: WorkstationId,
  state: string,
): Promise<Escrow> {
  const kept = (await recoveriesIn(dom0, state)).map(({ sealed }) => sealed);
  const found = new Map(kept.map((sealed) => [sealedDigest(sha256, sealed), sealed]));
  return {
    where: (digest) => {
      const sealed = found.get(digest);
      return sealed && (isOnTrail(workstation, state, sealed) ? "on-trail" : "here");
    },
    keptFor: (volume, slot) => {
      const of = kept.find((sealed) => sealed.volume === volume && sealed.slot === slot);
      return of && { to: of.to, sealed: sealedDigest(sha256, of) };
    },
  };
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
