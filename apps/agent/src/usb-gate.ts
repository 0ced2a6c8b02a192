/** Wires the live gate: ports and volume, the confined reader and rebuilder, the guest, and the applier that looks. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fail } from "@sallyport/shared/base/result.ts";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { DEFAULT_USB, type UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import type { Applier } from "./appliers/applier.ts";
import { ungated, usbApplier } from "./appliers/usb.ts";
import { type AgentConfig, GateChoice } from "./config.ts";
import { attachTo } from "./dom0/attach-to.ts";
import { sha256 } from "./dom0/crypto.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import type { Log } from "./dom0/log.ts";
import { readWords } from "./dom0/stick-folder.ts";
import { usbPorts } from "./dom0/usb.ts";
import { neededUsb } from "./dom0/usb-needed.ts";
import { keepPinsFile } from "./dom0/usb-pins-file.ts";
import { usbVolume } from "./dom0/usb-volume.ts";
import { usbEvents } from "./dom0/usb-watch.ts";
import { lanesFor } from "./gate/lanes.ts";
import { liveGate } from "./gate/live.ts";
import { rebuildImage } from "./gate/rebuild.ts";
import { RescanDesk } from "./gate/rescan-desk.ts";
import { standingOf, tellStanding, ungatedSource } from "./gate/standing.ts";
import type { Source, SourceState } from "./sources/source.ts";
import { spoolPath } from "./spool/open.ts";

export type GateNeeds = {
  dom0: Dom0;
  state: string;
  workstation: string;
  policy: () => UsbSection | undefined;
  exceptions: () => readonly Exception[];
  denied: () => readonly OverlayEntry[];
  floor: () => number;
  /** The set of definitions that the scanner has, where a policy names it. */
  scannerSet: () => Promise<string | undefined>;
  /** An earlier life of the agent held devices here. */
  hasGated: boolean;
  log: Log;
};

/** How long a stick's last logical unit may come after the one before it. */
const SETTLE_MS = 2_000;

export async function usbGate(
  config: AgentConfig,
  needs: GateNeeds,
): Promise<{ sources: Source[]; applier: Applier<"usb">; rescans: RescanDesk }> {
  const rescans = new RescanDesk();
  const { sysfs, dev, modules } = config.usb ?? GateChoice.parse({});
  const place = { sysfs, dev, modules };
  const ports = usbPorts(place);
  const standing = await standingOf(config.usb, ports, needs.hasGated, () => neededUsb(place));
  const usb = standing.state === "gated" ? config.usb : undefined;
  // what holds before the agent runs, at the next start of the machine
  keepPinsFile(needs.state, usb?.pins);
  if (!usb)
    return {
      sources: [ungatedSource(ports, standing, () => needs.dom0.now())],
      applier: ungated(standing.reason),
      rescans,
    };
  const { dom0, workstation, exceptions, denied, floor, log } = needs;
  const policy = () => needs.policy() ?? DEFAULT_USB;
  // a clock that was set back opens no window of time again
  const now = () => Math.max(dom0.now(), floor());
  const volume = usbVolume(usb.volume ?? join(needs.state, "usb"), { spool: spoolPath(needs.state) });
  let said: SourceState | undefined;
  const gate = liveGate({
    ports,
    place,
    volume,
    attach: usb.guest && attachTo(dom0, usb.guest),
    events: (signal) => usbEvents(signal, { udev: usb.udev }),
    async scan(path, { source, sha256: imageSha256, onProgress, signal }) {
      const [{ scan }, { findClamd }, { startReader }] = await Promise.all([
        import("./gate/scan.ts"),
        import("./gate/command.ts"),
        import("./dom0/confine.ts"),
      ]);
      const clamd = await findClamd(undefined, config.scanner?.conf, process.env, readWords);
      const set = await needs.scannerSet();
      return scan(path, {
        ...(set !== undefined && { set }),
        policy: policy(),
        denied,
        clamd,
        start: startReader,
        now: () => new Date(now()),
        lanes: lanesFor(availableParallelism()),
        imageSha256,
        source,
        onProgress,
        signal,
      });
    },
    async rebuild(image, manifest, grounds, parts) {
      const { startRebuild } = await import("./dom0/usb-rebuild.ts");
      return rebuildImage(image, manifest, grounds, { volume, start: startRebuild, policy: policy(), now, ...parts });
    },
    rules: () => ({ policy: policy(), denied: denied(), pins: usb.pins, workstation, hash: sha256 }),
    async scanner() {
      const [{ findClamd }, { askVersion }] = await Promise.all([
        import("./gate/command.ts"),
        import("./gate/reader/clamd.ts"),
      ]);
      const clamd = await findClamd(undefined, config.scanner?.conf, process.env, readWords);
      const version = clamd && (await askVersion(clamd.socket));
      const set = await needs.scannerSet();
      return version ? { ...version, ...(set !== undefined && { set }) } : undefined;
    },
    rescans,
    exceptions,
    floor,
    now,
    settleMs: usb.settleMs ?? SETTLE_MS,
    log,
  });
  const heard: Source = {
    name: gate.name,
    async run(outlet, signal) {
      await tellStanding(outlet, ports, standing, now);
      await gate
        .run(
          {
            ...outlet,
            state(next) {
              said = next;
              outlet.state(next);
            },
          },
          signal,
        )
        .catch((error: unknown) => {
          said = { state: "failed", reason: (error as Error).message };
          throw error;
        });
    },
  };
  const applier = usbApplier({
    ports,
    gate: () => said,
    guest: usb.guest !== undefined,
    pins: usb.pins.length,
    async unreadable() {
      const { wrapperFor } = await import("./dom0/confine.ts");
      const found = await wrapperFor().catch((error: Error) => fail(error.message));
      return found.ok ? undefined : found.error;
    },
    async narrow() {
      const [{ findClamd }, { heldBySize }] = await Promise.all([
        import("./gate/command.ts"),
        import("./gate/clamd-conf.ts"),
      ]);
      // whether it is there at all is said by the scanner's own part
      const clamd = await findClamd(undefined, config.scanner?.conf, process.env, readWords).catch(() => null);
      return clamd === null ? undefined : heldBySize(clamd);
    },
  });
  return { sources: [heard], applier, rescans };
}
