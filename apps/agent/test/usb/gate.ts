/** The live gate over a pretend sysfs and a pretend guest, with a journal in memory that keeps a spool's promises. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { AgentSection } from "@sallyport/shared/policy/agent.ts";
import { LogSection } from "@sallyport/shared/policy/log.ts";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { UsbPin } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { startReader } from "../../src/dom0/confine.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import type { Log } from "../../src/dom0/log.ts";
import { usbPorts } from "../../src/dom0/usb.ts";
import { startRebuild } from "../../src/dom0/usb-rebuild.ts";
import { usbVolume } from "../../src/dom0/usb-volume.ts";
import { usbEvents } from "../../src/dom0/usb-watch.ts";
import { type LiveParts, liveGate } from "../../src/gate/live.ts";
import { rebuildImage } from "../../src/gate/rebuild.ts";
import { type Clamd, scan } from "../../src/gate/scan.ts";
import { type SimGuest, simGuest } from "../../src/sim/guest.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import type { Outlet, SourceState } from "../../src/sources/source.ts";
import { until } from "../core/agent.ts";

export const WORKSTATION = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b";

export type Bench = {
  root: string;
  kernel: SimUsb;
  guest: SimGuest;
  records: Observation[];
  states: SourceState[];
  policy: UsbSection;
  exceptions: Exception[];
  denied: OverlayEntry[];
  pins: UsbPin[];
  clamd: Clamd | null;
  volume: string;
  /** The section of that name. */
  agent: object;
  /** The spool's file, where it counts what that may still grow by. */
  spool?: string;
  start(more?: Partial<LiveParts>): void;
  stop(): Promise<void>;
  /** From now on no record is taken, until there is room again; then all, in order. */
  noRoom(): void;
  makeRoom(): void;
  /** How many parcels wait for it. */
  waiting: number;
  /** Texts of the records of a kind. */
  said(kind: string): string[];
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  clear(): Promise<void>;
  volumeFiles(): Promise<string[]>;
};

export const quiet = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log;

/** As the agent wires it, with the host's parts given. */
export function gateParts(
  bench: Pick<Bench, "kernel" | "policy" | "pins" | "exceptions" | "denied" | "clamd" | "volume" | "spool"> & {
    attach: LiveParts["attach"];
  },
): LiveParts {
  const volume = usbVolume(bench.volume, bench.spool === undefined ? {} : { spool: bench.spool });
  const now = Date.now;
  return {
    ports: usbPorts(bench.kernel.place, bench.kernel.claimPort),
    place: bench.kernel.place,
    volume,
    attach: bench.attach,
    events: (signal) => usbEvents(signal, { udev: false, everyMs: 10 }),
    scan: (path, { source, sha256: imageSha256, onProgress, signal }) =>
      scan(path, {
        policy: bench.policy,
        clamd: bench.clamd,
        start: startReader,
        now: () => new Date(),
        lanes: 2,
        imageSha256,
        source,
        onProgress,
        signal,
      }),
    rebuild: (image, manifest, grounds, parts) =>
      rebuildImage(image, manifest, grounds, { volume, start: startRebuild, policy: bench.policy, now, ...parts }),
    rules: () => rulesOf(bench),
    exceptions: () => bench.exceptions,
    floor: now,
    now,
    settleMs: 30,
    keepMs: 20,
    log: quiet,
  };
}

const rulesOf = ({ policy, denied, pins }: Pick<Bench, "policy" | "denied" | "pins">) => ({
  ...{ policy, denied, pins, workstation: WORKSTATION, hash: sha256 },
});

export function makeBench(policy: object = { unscannable: "allow" }): Bench {
  const root = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
  mkdirSync(join(root, "host"));
  const kernel = simUsb(join(root, "host"));
  const guest = simGuest(join(root, "guest"));
  const positions = new Map<string, Json>();
  let stopping = new AbortController();
  let running: Promise<void> | undefined;
  let room = Promise.resolve();
  let makeRoom = () => {};
  const bench: Bench = {
    root,
    kernel,
    guest,
    records: [],
    states: [],
    policy: UsbSection.parse(policy),
    exceptions: [],
    denied: [],
    pins: [],
    clamd: null,
    volume: join(root, "volume"),
    agent: {},
    waiting: 0,
    start(more = {}) {
      stopping = new AbortController();
      const outlet = {
        emit: async ({ observations, position }) => {
          bench.waiting += 1;
          await room;
          bench.waiting -= 1;
          bench.records.push(...observations);
          if (position) positions.set(position.name, JSON.parse(JSON.stringify(position.value)) as Json);
          return { kept: observations.length, suppressed: 0, refused: 0 };
        },
        position: (name) => positions.get(name),
        settings: () => ({ log: LogSection.parse({}), agent: AgentSection.parse(bench.agent) }),
        state: (state) => void bench.states.push(state),
      } satisfies Partial<Outlet> as Partial<Outlet> as Outlet;
      running = liveGate({ ...gateParts({ ...bench, attach: guest }), ...live, ...more }).run(outlet, stopping.signal);
      running.catch(() => {});
    },
    async stop() {
      stopping.abort();
      await running;
    },
    noRoom() {
      room = new Promise((resolve) => {
        makeRoom = resolve;
      });
    },
    makeRoom: () => makeRoom(),
    said: (kind) => bench.records.filter((record) => record.kind === kind).map(({ text }) => text),
    async until(what, holds) {
      try {
        await until(what, holds);
      } catch (error) {
        const last = bench.records.slice(-12).map(({ kind, text }) => `${kind}: ${text}`);
        throw new Error(`${(error as Error).message}\n${last.join("\n")}`);
      }
    },
    async clear() {
      makeRoom();
      await bench.stop();
      kernel.stop();
      rmSync(root, { recursive: true, force: true });
    },
    volumeFiles: () => usbVolume(bench.volume).files(),
  };
  // what a test changes on the bench while it runs
  const live: Partial<LiveParts> = {
    rules: () => rulesOf(bench),
    exceptions: () => bench.exceptions,
  };
  return bench;
}
