/** The only wiring: sources → spool → uplink → link, and desired → policy → reconcile → report. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ARTIFACT_BYTES_MAX } from "@sallyport/shared/artifact/artifact.ts";
import { fromBase64, toHex } from "@sallyport/shared/base/bytes.ts";
import type { SessionId, Sha256 } from "@sallyport/shared/base/ids.ts";
import { deniedAddresses } from "@sallyport/shared/policy/overlay.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import { idsApplier, unwatched } from "./appliers/ids.ts";
import { BROKER_LOST_MS, KEPT_BYTES_MAX as NETWORK_BYTES_MAX, networkApplier, unfiltered } from "./appliers/network.ts";
import { artifacts as fetchedArtifacts } from "./artifact/artifacts.ts";
import { Commands } from "./command/commands.ts";
import { JOURNAL_BYTES_MAX, journalFile } from "./command/journal-file.ts";
import {
  type AgentConfig,
  artifactsFolder,
  brokerOf,
  domainOf,
  firewallOf,
  sourcesOf,
  sticksFolder,
} from "./config.ts";
import { artifactStore } from "./dom0/artifact-store.ts";
import { ed25519Signer, sha256 } from "./dom0/crypto.ts";
import { receiveDatagrams } from "./dom0/datagrams.ts";
import { suricata } from "./dom0/detector.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { keptText } from "./dom0/kept-text.ts";
import type { Log } from "./dom0/log.ts";
import { resolveName } from "./dom0/names.ts";
import { nftRuleset } from "./dom0/ruleset.ts";
import { tellRefusal } from "./enrol/again.ts";
import { fetchArtifact } from "./enrol/artifact.ts";
import { isDue, notAfter, renew } from "./enrol/enrol.ts";
import { readEnrolment } from "./enrol/folder.ts";
import { LOOK_MS_MAX, RENEWAL_CHECK_MS } from "./limits.ts";
import { Link } from "./link/link.ts";
import { Outage } from "./link/outage.ts";
import { Bell, pause } from "./pace.ts";
import { droppedAgain, listPerformers } from "./performers.ts";
import { PolicyKeeper } from "./policy/policy.ts";
import { keepMarks, recoverKept } from "./policy/recover.ts";
import { listAppliers, type Outcomes, reconcile, settle } from "./reconcile/reconcile.ts";
import { overlayRecords, ToldOverlays } from "./report/overlay-records.ts";
import { overlayStates } from "./report/overlays.ts";
import { isChange, signReport } from "./report/report.ts";
import { runSources } from "./run-sources.ts";
import { scannerOf } from "./scanner.ts";
import { listSources } from "./sources/list.ts";
import { Intake } from "./spool/intake.ts";
import { lockState, openSpool } from "./spool/open.ts";
import { prepare } from "./spool/prepare.ts";
import { sticks } from "./sticks.ts";
import { Uplink } from "./uplink/uplink.ts";
import { usbGate } from "./usb-gate.ts";
import { AGENT_VERSION } from "./version.ts";
import { volumeOf } from "./volume.ts";

export type AgentParts = { state: string; config: AgentConfig; dom0: Dom0; log: Log };

/** Runs until the signal; then what was taken is on disk. @throws EnrolmentError, SpoolBusy, what the disk says */
export async function runAgent({ state, config, dom0, log }: AgentParts, signal: AbortSignal): Promise<void> {
  const lock = lockState(state);
  const enrolment = readEnrolment(state);
  const { facts, trailKey } = enrolment;
  const { workstation } = facts;
  const signer = ed25519Signer(trailKey);
  const session = randomUUID() as SessionId;
  const hostname = dom0.hostname();
  const now = () => dom0.now();
  const monotonic = () => dom0.monotonic();
  let tls = enrolment.tls;

  // settings in force: the strict defaults until a policy says otherwise
  const settings = { log: Policy.parse({}).log, agent: Policy.parse({}).agent };
  const identity = { workstation, signer, session, agentVersion: AGENT_VERSION, hostname };
  const spool = openSpool(state, identity, now, settings.agent.spoolBytesMax, (aside, why) =>
    log.error({ aside, why }, "spool.damaged"),
  );
  const work = new Bell();
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
  const intake = new Intake({
    spool,
    log: () => settings.log,
    now,
    monotonic,
    onTrouble: (error) => {
      log.error({ error: error.message }, "spool.refused");
      // reported when it begins, not for each attempt
      if (intake.refused === undefined) work.ring();
    },
    onMended: () => {
      log.info({}, "spool.mended");
      work.ring();
    },
  });
  const tell = (observation: Observation) => void intake.emit({ observations: [observation] }).catch(() => {});
  /** For what the next round says again: a disk that is full does not end the agent. */
  const remember = (key: string, value: Parameters<typeof spool.remember>[1]) => {
    try {
      spool.remember(key, value);
    } catch (error) {
      log.error({ key, error: (error as Error).message }, "spool.refused");
    }
  };
  const ordersFile = (name: string) => keptText(dom0, join(state, name), JOURNAL_BYTES_MAX);
  const commands = await Commands.open({
    file: journalFile(ordersFile("commands.json"), ordersFile("commands.json.copy")),
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
  const outage = new Outage(monotonic);
  // the way to the broker may be the firewall's to mend
  const mendLater = () => void pause(BROKER_LOST_MS, signal).then(() => work.ring());
  let skewMs: number | undefined;
  const presence = (what: "online" | "offline") =>
    JSON.stringify({ session, state: what, at: new Date(now()).toISOString(), agentVersion: AGENT_VERSION });
  const link = new Link({
    url: facts.mqtt,
    workstation,
    clientId: session,
    credentials: () => ({ ...tls, cas: [enrolment.ca, ...policy.cas] }),
    will: () => presence("offline"),
    log,
  });
  const uplink = new Uplink({
    spool,
    session,
    workstation,
    publish: (batch) => link.publish("batch", batch),
    askStand: () => void link.publish("presence", presence("online"), true),
    consoleKeys: () => policy.consoleKeys.map(fromBase64),
    windowBatches: () => settings.agent.windowBatches,
    lingerMs: () => settings.log.lingerMs,
    heard: (receipt) => {
      skewMs = Date.parse(receipt.time) - now();
      policy.heard(Date.parse(receipt.time));
    },
    tell,
    now,
    log,
  });

  const setting = <N extends "log" | "agent">(name: N, then: () => void = () => {}) => ({
    get: () => settings[name],
    set: (value: (typeof settings)[N]) => {
      settings[name] = value;
      then();
    },
  });
  const firewall = firewallOf(config);
  const volume = volumeOf(config, state, dom0);
  const artifacts = fetchedArtifacts({
    store: artifactStore(artifactsFolder(state, config)),
    fetch: fetchArtifact(facts.listener, () => ({ ...tls, cas: [enrolment.ca, ...policy.cas] })),
    changed: () => work.ring(),
    monotonic,
    log,
    signal,
  });
  const usb = usbGate(config, {
    dom0,
    state,
    workstation,
    policy: () => policy.inForce?.policy.usb,
    exceptions: () => policy.exceptions(),
    denied: () => policy.denied(),
    floor: () => policy.floor(),
    scannerSet: () => scanner.inForce(),
    log,
  });
  const scanner = scannerOf(config, usb.applier, {
    ...{ artifacts, now, monotonic, tell, log, signal },
    policy: () => policy.inForce?.policy.usb,
  });
  const appliers = listAppliers(
    { log: setting("log"), agent: setting("agent", () => spool.setBytesMax(settings.agent.spoolBytesMax)) },
    {
      network: firewall
        ? networkApplier({
            ruleset: nftRuleset(dom0),
            config: firewall,
            broker: brokerOf(facts.mqtt),
            lostMs: () => outage.ms,
            resolve: resolveName,
            hash: sha256,
            now,
            monotonic,
            kept: keptText(dom0, join(state, "network.nft"), NETWORK_BYTES_MAX),
            isolatedUntil: () => commands.isolation?.until,
            denied: () => deniedAddresses(policy.denied()),
            tell,
            log,
          })
        : unfiltered(),
      ids: config.ids
        ? idsApplier({
            detector: suricata(dom0, config.ids),
            config: config.ids,
            artifact(rules) {
              artifacts.retain("ids", [rules]);
              return artifacts.get(rules, "The rule set", ARTIFACT_BYTES_MAX["suricata-rules"]);
            },
            hash: sha256,
            now,
            tell,
            log,
          })
        : unwatched(),
      disk: volume.applier,
      usb: scanner.applier,
    },
  );
  const sources = runSources(
    [
      ...listSources(sourcesOf(config), {
        dom0,
        receive: receiveDatagrams,
        agentVersion: AGENT_VERSION,
        stateFolder: state,
        spool: () => ({ ...spool.standing(), oldestTime: undefined }),
        consoleSkewMs: () => skewMs,
      }),
      ...sticks(
        sticksFolder(state, config),
        () => policy.inForce?.policy.usb,
        () => policy.denied(),
        now,
        scanner.inForce,
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
      position: (name) => spool.position(name),
      settings: () => settings,
      changed: () => work.ring(),
      log,
    },
    signal,
  );

  const settleNetwork = () => settle(appliers, "network", policy.inForce?.policy ?? Policy.parse({}));
  const performers = listPerformers({
    dom0,
    agentVersion: AGENT_VERSION,
    domainOf: (guest) => domainOf(config, guest),
    settleNetwork: async () => {
      const found = await settleNetwork();
      work.ring();
      return found;
    },
    rescan: droppedAgain(sticksFolder(state, config), intake.emit),
    wipe: volume.wipe,
  });

  let outcomes: Outcomes | undefined;
  /** `inForce` is what the outcomes are of: one that came meanwhile is not in force before it was reconciled. */
  const gather = (inForce: typeof policy.inForce): Reported => {
    const { state: uplinkState } = uplink;
    const sourceStates = sources.states();
    if (uplinkState.state === "alarm") sourceStates.uplink = { state: "failed", reason: uplinkState.why.slice(0, 512) };
    if (link.overlayRefused) sourceStates.overlay = { state: "failed", reason: link.overlayRefused.slice(0, 512) };
    if (intake.refused) sourceStates.spool = { state: "failed", reason: `the disk takes nothing: ${intake.refused}` };
    return {
      workstation,
      session,
      at: new Date(now()).toISOString(),
      agentVersion: AGENT_VERSION,
      hostname,
      group: policy.group,
      trail: { id: spool.trail, size: spool.size, root: toHex(spool.root) as Sha256 },
      spool: spool.standing(),
      policy: inForce
        ? {
            digest: inForce.digest as NonNullable<Reported["policy"]>["digest"],
            order: inForce.order,
            taken: inForce.taken,
            old: inForce.notAfter !== undefined && policy.floor() >= Date.parse(inForce.notAfter),
          }
        : null,
      sections: outcomes ?? {},
      ...(policy.refused ? { refused: policy.refused } : {}),
      signers: policy.signers as Reported["signers"],
      sources: sourceStates,
      ...(layout ? { layout } : {}),
      guests: config.guests.map(({ id }) => ({ id, name: config.guestNames[id] ?? id })),
      certificateNotAfter: notAfter(tls.certificate),
      overlays: overlayStates(policy.overlays(), outcomes),
    };
  };

  /** What an overlay came to hold, and what has ended of it. */
  const tellOverlays = () => {
    const told = ToldOverlays.safeParse(spool.remembered("overlays"));
    const next = overlayRecords(told.success ? told.data : {}, policy.overlays(), now());
    if (next.records.length === 0) return;
    for (const each of next.records) tell(each);
    remember("overlays", next.told as never);
  };

  /** Reconciles and reports: on a change, and on the timer. */
  const steer = async () => {
    let last: Reported | undefined;
    let reportedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const wanted = policy.inForce;
      outcomes = await reconcile(appliers, wanted?.policy ?? Policy.parse({}));
      if (wanted) recordApplied(wanted, outcomes);
      tellOverlays();
      const next = gather(wanted);
      remember("report", { ...next, link: uplink.state } as never);
      const due = monotonic() - reportedAt >= settings.agent.reportSeconds * 1000;
      if (link.isConnected && (due || isChange(last, next) || reportWanted)) {
        reportWanted = false;
        if ((await link.publish("reported", JSON.stringify(signReport(signer, next)), true)) === "sent") {
          last = next;
          reportedAt = monotonic();
        }
      }
      await work.wait(Math.min(settings.agent.reportSeconds * 1000, LOOK_MS_MAX, policy.nextEndMs()), signal);
    }
  };
  let reportWanted = false;

  /** Once for each policy and outcome, also over restarts. */
  let applied = spool.remembered("applied");
  const recordApplied = ({ digest, order }: { digest: string; order: number }, found: Outcomes) => {
    const said = Object.fromEntries(
      Object.entries(found).map(([name, { outcome, reason }]) => [
        name,
        { outcome: outcome === "audit" ? ("applied" as const) : outcome, ...(reason ? { reason } : {}) },
      ]),
    );
    const mark = toHex(sha256(Buffer.from(JSON.stringify({ digest, order, said }))));
    if (applied === mark) return;
    applied = mark;
    const wrong = Object.values(said).some(({ outcome }) => outcome === "failed");
    const inForce = Object.entries(said).flatMap(([name, { outcome }]) => (outcome === "applied" ? [name] : []));
    tell({
      kind: "policy.applied",
      severity: wrong ? "error" : "notice",
      time: now(),
      text: `Policy ${digest.slice(0, 12)} (order ${order}) is in force: ${inForce.join(", ") || "no section"} applied`,
      body: { digest: digest as never, order, outcomes: said },
    });
    remember("applied", mark);
  };

  const renewing = async () => {
    while (!signal.aborted) {
      await tellRefusal(state, (observation) => intake.emit({ observations: [observation] })).catch((error: Error) =>
        log.error({ error: error.message }, "enrolment.refusal-untold"),
      );
      if (isDue(tls.certificate, now())) {
        try {
          tls = await renew(state, { ...enrolment, tls }, [enrolment.ca, ...policy.cas]);
          log.info({ notAfter: notAfter(tls.certificate) }, "certificate.renewed");
          link.reconnect();
          work.ring();
        } catch (error) {
          log.error({ error: (error as Error).message }, "certificate.not-renewed");
        }
      }
      await pause(RENEWAL_CHECK_MS, signal);
    }
  };

  log.info({ workstation, trail: spool.trail, size: spool.size, state }, "agent.started");
  mendLater();
  const running = Promise.all([
    steer(),
    uplink.run(signal),
    renewing(),
    commands.run(performers, signal),
    sources.run(),
    link.run(
      {
        connected() {
          outage.connected();
          void link.publish("presence", presence("online"), true);
          uplink.connected();
          reportWanted = true;
          work.ring();
        },
        disconnected() {
          if (outage.disconnected()) mendLater();
          uplink.disconnected();
        },
        message(channel, bytes) {
          if (channel === "receipt") uplink.receipt(bytes);
          else if (channel === "desired" || channel === "overlay") policy.desired(bytes);
          else policy.command(bytes);
        },
      },
      signal,
    ),
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
