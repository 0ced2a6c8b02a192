/** The only wiring: sources → spool → uplink → link, and desired → policy → reconcile → report. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { SessionId } from "@sallyport/shared/base/ids.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import { BROKER_LOST_MS } from "./appliers/network.ts";
import { artifacts as fetchedArtifacts } from "./artifact/artifacts.ts";
import { boundSources } from "./bounded-files.ts";
import { Commands } from "./command/commands.ts";
import { JOURNAL_BYTES_MAX, journalFile } from "./command/journal-file.ts";
import { type AgentConfig, artifactsFolder, domainOf, sourcesOf, sticksFolder, xlConfigOf } from "./config.ts";
import { connection } from "./connection.ts";
import { artifactStore } from "./dom0/artifact-store.ts";
import { ed25519Signer, sha256 } from "./dom0/crypto.ts";
import { receiveDatagrams } from "./dom0/datagrams.ts";
import { socketOf } from "./dom0/detector.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { keptText } from "./dom0/kept-text.ts";
import type { Log } from "./dom0/log.ts";
import { spareIn } from "./dom0/spare.ts";
import { receiveUdp } from "./dom0/udp.ts";
import { fetchArtifact } from "./enrol/artifact.ts";
import { readEnrolment } from "./enrol/folder.ts";
import { POSITION as GATE_POSITION } from "./gate/live.ts";
import { guestsWire } from "./guests-wire.ts";
import { pause } from "./pace.ts";
import { droppedAgain, heldAgain, listPerformers } from "./performers.ts";
import { PolicyKeeper } from "./policy/policy.ts";
import { keepMarks, recoverKept } from "./policy/recover.ts";
import { listAppliers, settle } from "./reconcile/reconcile.ts";
import { gather } from "./report/gather.ts";
import { toldOverlays, toldPolicies } from "./report/told.ts";
import { runSources } from "./run-sources.ts";
import { scannerOf } from "./scanner.ts";
import { listSources } from "./sources/list.ts";
import { lockState } from "./spool/open.ts";
import { prepare } from "./spool/prepare.ts";
import { steering, Work } from "./steer.ts";
import { sticks } from "./sticks.ts";
import { openTrail } from "./trail.ts";
import { usbGate } from "./usb-gate.ts";
import { AGENT_VERSION } from "./version.ts";
import { volumeOf } from "./volume.ts";

export type AgentParts = {
  state: string;
  /** A folder that is no disk and outlives the agent. */
  runtime: string | undefined;
  config: AgentConfig;
  dom0: Dom0;
  log: Log;
};

/** Runs until the signal; then what was taken is on disk. @throws EnrolmentError, SpoolBusy, what the disk says */
export async function runAgent({ state, runtime, config, dom0, log }: AgentParts, signal: AbortSignal): Promise<void> {
  const lock = lockState(state);
  const enrolment = readEnrolment(state);
  const { facts, trailKey } = enrolment;
  const { workstation } = facts;
  const signer = ed25519Signer(trailKey);
  const session = randomUUID() as SessionId;
  const hostname = dom0.hostname();
  const now = () => dom0.now();
  const monotonic = () => dom0.monotonic();

  // settings in force: the strict defaults until a policy says otherwise
  const settings = { log: Policy.parse({}).log, agent: Policy.parse({}).agent };
  const identity = { workstation, signer, session, agentVersion: AGENT_VERSION, hostname };
  const work = new Work();
  const { spool, intake, tell, remember } = openTrail({
    ...{ state, identity, settings, now, monotonic, log },
    changed: () => work.tell(),
  });
  const kept = recoverKept({
    state,
    workstation,
    membership: facts.membership,
    memory: spool,
    tell: (observation) => {
      log.error({ why: observation.text }, "policy.damaged");
      spool.append([prepare(observation)], []);
    },
    now,
  });
  const ordersFile = (name: string) => keptText(dom0, join(state, name), JOURNAL_BYTES_MAX);
  const commands = await Commands.open({
    file: journalFile(ordersFile("commands.json"), ordersFile("commands.json.copy")),
    spare: spareIn(runtime, "commands.unkept"),
    emit: intake.emit,
    position: (name) => spool.position(name),
    floor: () => policy.floor(),
    now,
    tell,
    changed: () => work.ring(),
    log,
  });
  const policy = new PolicyKeeper({
    state,
    commands,
    self: { workstation, group: facts.group, consoleKeys: facts.consoleKeys },
    kept,
    keepMarks: (next) => keepMarks(spool, workstation, next),
    spare: spareIn(runtime, "policy.unkept"),
    now,
    monotonic,
    tell,
    changed: (taken) => {
      // the firewall has it at once: another section may take its time
      if (taken === "overlay") void settleNetwork();
      work.ring();
    },
    log,
  });

  let layout: HypervisorLayout | undefined;
  // the way to the broker may be the firewall's to mend
  const mendLater = () => void pause(BROKER_LOST_MS, signal).then(() => work.ring());
  const toConsole = connection({
    ...{ state, enrolment, session, spool, policy, tell, now, monotonic, log },
    windowBatches: () => settings.agent.windowBatches,
    lingerMs: () => settings.log.lingerMs,
    emit: intake.emit,
  });

  const setting = <N extends "log" | "agent">(name: N, then: () => void = () => {}) => ({
    get: () => settings[name],
    set: (value: (typeof settings)[N]) => {
      settings[name] = value;
      then();
    },
  });
  const volume = volumeOf(config, workstation, state, dom0);
  const artifacts = fetchedArtifacts({
    store: artifactStore(artifactsFolder(state, config)),
    fetch: fetchArtifact(facts.listener, toConsole.credentials),
    changed: () => work.ring(),
    monotonic,
    log,
    signal,
  });
  const usb = await usbGate(config, {
    dom0,
    state,
    workstation,
    policy: () => policy.inForce?.policy.usb,
    exceptions: () => policy.exceptions(),
    denied: () => policy.denied(),
    floor: () => policy.floor(),
    scannerSet: () => scanner.inForce(),
    hasGated: spool.position(GATE_POSITION) !== undefined,
    log,
  });
  const scanner = scannerOf(config, usb.applier, {
    ...{ artifacts, now, monotonic, tell, log, signal },
    policy: () => policy.inForce?.policy.usb,
  });
  const appliers = listAppliers(
    { log: setting("log"), agent: setting("agent", () => spool.setBytesMax(settings.agent.spoolBytesMax)) },
    {
      ...guestsWire(config, {
        ...{ dom0, artifacts, now, monotonic, tell, log },
        file: join(state, "network.nft"),
        mqtt: facts.mqtt,
        lostMs: toConsole.lostMs,
        isolatedUntil: () => commands.isolation?.until,
        floor: () => policy.floor(),
        denied: () => policy.denied(),
      }),
      disk: volume.applier,
      usb: scanner.applier,
    },
  );
  const oldEvents = join(state, "ids/log/eve.json");
  const sources = runSources(
    [
      ...listSources(sourcesOf(config, (await dom0.facts(oldEvents)) && oldEvents), {
        dom0,
        receive: receiveDatagrams,
        receiveUdp,
        agentVersion: AGENT_VERSION,
        stateFolder: state,
        spool: () => ({ ...spool.standing(), oldestTime: undefined }),
        consoleSkewMs: toConsole.skewMs,
        vifs: config.firewall?.vifs ?? [],
      }),
      ...boundSources(config, dom0),
      ...sticks(
        sticksFolder(state, config),
        () => policy.inForce?.policy.usb,
        () => policy.denied(),
        now,
        scanner.inForce,
        config.scanner?.conf,
      ),
      ...volume.sources,
      ...usb.sources,
    ],
    {
      emit: (parcel) => {
        for (const seen of parcel.observations)
          if (seen.kind === "hypervisor.layout") layout = seen.body as HypervisorLayout;
        return intake.emit(parcel);
      },
      admits: intake.admits,
      position: (name) => spool.position(name),
      settings: () => settings,
      changed: (what) => (what === "state" ? work.ring() : work.tell()),
      log,
    },
    signal,
  );

  const settleNetwork = () => settle(appliers, "network", policy.inForce?.policy ?? Policy.parse({}));
  const performers = listPerformers({
    dom0,
    agentVersion: AGENT_VERSION,
    domainOf: (guest) => domainOf(config, guest),
    xlConfigOf: (guest) => xlConfigOf(config, guest),
    settleNetwork: async () => {
      const found = await settleNetwork();
      work.ring();
      return found;
    },
    rescan: heldAgain(droppedAgain(sticksFolder(state, config), intake.emit), usb.rescans),
    wipe: volume.wipe,
    report: () => spool.remembered("report"),
    ...(config.ids && { detectorSocket: socketOf(config.ids.folder) }),
  });

  const memory = {
    ...{ tell, remember, now, hash: sha256 },
    remembered: (key: string) => spool.remembered(key),
  };
  const [toldPolicy, toldOverlay] = [toldPolicies(memory), toldOverlays(memory)];
  const guests = config.guests.map(({ id }) => ({ id, name: config.guestNames[id] ?? id }));
  const gatherParts = {
    self: { workstation, session, agentVersion: AGENT_VERSION, hostname, guests },
    ...{ spool, policy, now },
    uplink: toConsole.uplink,
    sources: () => sources.states(),
    refused: () => ({
      spool: intake.refused,
      policy: policy.unkept,
      commands: commands.unkept,
      desired: policy.turnedAway,
      overlay: toConsole.link.overlayRefused,
    }),
    layout: () => layout,
    certificateNotAfter: toConsole.certificateNotAfter,
  };
  const steer = steering({
    ...{ policy, appliers, signer, monotonic, work },
    link: toConsole.link,
    told(inForce, outcomes) {
      policy.keepAgain();
      if (inForce) toldPolicy(inForce, outcomes);
      toldOverlay(policy.overlays());
    },
    gather: (inForce, outcomes) => gather(gatherParts, inForce, outcomes),
    keep: (report) => remember("report", { ...report, link: toConsole.uplink() } as never),
    reportMs: () => settings.agent.reportSeconds * 1000,
  });

  log.info({ workstation, trail: spool.trail, size: spool.size, state }, "agent.started");
  signal.addEventListener("abort", () => intake.end(), { once: true });
  mendLater();
  const running = Promise.all([
    steer.run(signal),
    toConsole.run({ connected: () => steer.reportAgain(), lost: mendLater, renewed: () => work.tell() }, signal),
    commands.run(performers, signal),
    sources.run(),
  ]);
  try {
    await running;
  } finally {
    intake.close();
    spool.close();
    lock.release();
    log.info({}, "agent.stopped");
  }
}
