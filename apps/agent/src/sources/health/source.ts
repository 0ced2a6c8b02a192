/** The machine and the agent, at policy's pace → agent.health. What cannot be read is absent, never made up. */
import { setTimeout as delay } from "node:timers/promises";
import type { AgentHealth } from "@sallyport/shared/record/agent.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Dom0 } from "../../dom0/dom0.ts";
import type { Source } from "../source.ts";
import { type ProgramsDoor, programVersions } from "./versions.ts";
import { healthSeverity, healthWords } from "./words.ts";

export type HealthDoor = ProgramsDoor & Pick<Dom0, "now" | "monotonic" | "kernel" | "diskSpace">;

export type Health = {
  dom0: HealthDoor;
  agentVersion: string;
  /** The folder whose disk the spool fills. */
  stateFolder: string;
  spool: () => AgentHealth["spool"];
  /** The console's clock less ours, as last heard of. */
  consoleSkewMs?: () => number | undefined;
  own?: () => Own;
};

/** Of this process: bytes, seconds, and microseconds of processor time since it began. */
export type Own = { residentBytes: number; uptimeSeconds: number; cpuMicroseconds: number };

/** A shorter interval in a new policy holds from here on. */
const LOOK_EVERY_MS = 1_000;
const VERSIONS_EVERY_MS = 3_600_000;

export function healthSource(health: Health): Source {
  return {
    name: "health",
    async run(outlet, signal) {
      const { dom0, own = ownFacts } = health;
      outlet.state({ state: "running" });
      let versions: { at: number; found: Record<string, string> } | undefined;
      let last: { at: number; cpuMicroseconds: number } | undefined;
      while (!signal.aborted) {
        const at = dom0.monotonic();
        if (!last || at - last.at >= outlet.settings().agent.healthSeconds * 1000) {
          if (!versions || at - versions.at >= VERSIONS_EVERY_MS)
            versions = { at, found: await programVersions(dom0, signal) };
          const now = own();
          const busy = last && (now.cpuMicroseconds - last.cpuMicroseconds) / 1000 / (at - last.at);
          const observation = await observe(health, now, versions.found, busy, signal);
          if (signal.aborted) return;
          await outlet.emit({ observations: [observation] });
          last = { at, cpuMicroseconds: now.cpuMicroseconds };
        }
        await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      }
    },
  };
}

type Observed = Observation<"agent.health">;

async function observe(
  { dom0, agentVersion, stateFolder, spool, consoleSkewMs }: Health,
  own: Own,
  versions: Record<string, string>,
  cpuShare: number | undefined,
  signal: AbortSignal,
): Promise<Observed> {
  const disk = await dom0.diskSpace(stateFolder).catch(() => undefined);
  const synchronised = await clockSynchronised(dom0, signal);
  const skew = consoleSkewMs?.();
  const body: AgentHealth = {
    agentVersion,
    node: process.version,
    kernel: dom0.kernel().slice(0, 256),
    uptimeSeconds: own.uptimeSeconds,
    residentBytes: own.residentBytes,
    ...(cpuShare !== undefined && { cpuShare: Math.max(0, Number(cpuShare.toFixed(4))) }),
    clock: { ...(synchronised !== undefined && { synchronised }), ...(skew !== undefined && { consoleSkewMs: skew }) },
    ...(disk && { disk }),
    spool: spool(),
    versions,
  };
  return { kind: "agent.health", severity: healthSeverity(body), time: dom0.now(), text: healthWords(body), body };
}

/** systemd's answer, whichever program keeps the clock; nothing where there is no systemd. */
async function clockSynchronised(dom0: ProgramsDoor, signal: AbortSignal): Promise<boolean | undefined> {
  const args = ["show", "--property=NTPSynchronized", "--value"];
  const ran = await dom0
    .run("timedatectl", args, { timeoutMs: 5_000, outputBytesMax: 1_024, signal })
    .catch(() => undefined);
  const said = ran?.code === 0 ? ran.stdout.trim() : "";
  return said === "yes" ? true : said === "no" ? false : undefined;
}

export function ownFacts(): Own {
  const { user, system } = process.cpuUsage();
  return { residentBytes: process.memoryUsage.rss(), uptimeSeconds: process.uptime(), cpuMicroseconds: user + system };
}
