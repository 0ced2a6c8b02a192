/** agent.health in one line, and how bad it is. */
import type { AgentHealth } from "@sallyport/shared/record/agent.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";

const DISK_FREE_SHARE_MIN = 0.05;
const SPOOL_SHARE_MAX = 0.8;
const SKEW_MS_MAX = 5_000;

type Complaint = { severity: Severity; words: string };

function complaints({ clock, disk, spool }: AgentHealth): Complaint[] {
  const found: Complaint[] = [];
  if (clock.synchronised === false) found.push({ severity: "notice", words: "the clock is not synchronised" });
  if (Math.abs(clock.consoleSkewMs ?? 0) > SKEW_MS_MAX) {
    found.push({
      severity: "warning",
      words: `the clock is ${Math.round(clock.consoleSkewMs! / 1000)} s off the console's`,
    });
  }
  if (disk && disk.freeBytes < disk.totalBytes * DISK_FREE_SHARE_MIN)
    found.push({ severity: "error", words: "the disk is nearly full" });
  if (spool.bytesMax > 0 && spool.bytes > spool.bytesMax * SPOOL_SHARE_MAX)
    found.push({ severity: "error", words: "the spool is nearly full" });
  return found;
}

export function healthSeverity(health: AgentHealth): Severity {
  const found = complaints(health).map(({ severity }) => severity);
  return (["error", "warning", "notice"] as const).find((each) => found.includes(each)) ?? "info";
}

export function healthWords(health: AgentHealth): string {
  const { disk, spool, residentBytes, cpuShare } = health;
  const plain = [
    `spool ${spool.records} records, ${inUnits(spool.bytes)} of ${inUnits(spool.bytesMax)}`,
    disk && `disk ${inUnits(disk.freeBytes)} free of ${inUnits(disk.totalBytes)}`,
    `agent ${inUnits(residentBytes)}${cpuShare === undefined ? "" : `, ${(cpuShare * 100).toFixed(1)} % of one processor`}`,
  ];
  return [...complaints(health).map(({ words }) => words), ...plain].filter(Boolean).join("; ");
}

export function inUnits(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const place = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** place;
  return `${place === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[place]}`;
}
