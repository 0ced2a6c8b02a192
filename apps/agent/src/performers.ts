/** Wires each verb to what carries it out on this machine. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { isolatePerformer, releasePerformer, type SettleNetwork } from "./command/cut.ts";
import { type DiagnosticsParts, diagnosticsPerformer } from "./command/diagnostics.ts";
import { destroyPerformer, pausePerformer, resumePerformer } from "./command/guest.ts";
import type { Performer, Performers } from "./command/performer.ts";
import { type Rescan, rescanPerformer } from "./command/rescan.ts";
import { startPerformer } from "./command/start-guest.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { faultOfRootFile } from "./dom0/root-file.ts";
import { listDropped } from "./dom0/stick-folder.ts";
import { xlOf } from "./dom0/xl.ts";
import type { RescanDesk } from "./gate/rescan-desk.ts";
import { programVersions } from "./sources/health/versions.ts";
import type { Emit } from "./sources/source.ts";

export type PerformersParts = {
  dom0: Dom0;
  agentVersion: string;
  domainOf: (guest: GuestId) => string;
  xlConfigOf: (guest: GuestId) => string | undefined;
  settleNetwork: SettleNetwork;
  rescan: Rescan;
  wipe: Performer<"wipe">;
} & Pick<DiagnosticsParts, "report" | "detectorSocket">;

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export function listPerformers(parts: PerformersParts): Performers {
  const { dom0, agentVersion, domainOf, xlConfigOf, settleNetwork, rescan, wipe, report, detectorSocket } = parts;
  const guest = { xl: xlOf(dom0), domainOf, bootId: async () => (await dom0.readText(BOOT_ID, 64))?.trim() ?? "" };
  return {
    isolate: isolatePerformer(settleNetwork),
    release: releasePerformer(settleNetwork),
    pause: pausePerformer(guest),
    resume: resumePerformer(guest),
    "destroy-guest": destroyPerformer(guest),
    rescan: rescanPerformer(rescan),
    diagnostics: diagnosticsPerformer({
      dom0,
      agentVersion,
      report,
      ...(detectorSocket !== undefined && { detectorSocket }),
      now: () => dom0.now(),
      versions: (signal) => programVersions(dom0, signal),
    }),
    wipe,
    "start-guest": startPerformer({
      ...guest,
      fileOf: xlConfigOf,
      faultOf: (file) => faultOfRootFile(dom0, file),
    }),
  };
}

/** Images of the drop folder: what its source knows of one is where it stands. */
export const droppedAgain = (folder: string | undefined, emit: Emit): Rescan => ({
  images: async () => (folder === undefined ? [] : (await listDropped(folder)).map(({ name }) => name)),
  forget: async (name) => void (await emit({ observations: [], position: { name: `sticks/${name}`, value: null } })),
});

/** The images of sticks that the gate holds, beside those. */
export const heldAgain = (dropped: Rescan, desk: RescanDesk): Rescan => ({
  images: async () => [...(await dropped.images()), ...desk.held()],
  async forget(name) {
    if (desk.held().includes(name)) desk.ask(name);
    else await dropped.forget(name);
  },
});
