/** While everything runs: certificates are made anew in time, and what reads them only at its start is started again. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ensureKeys, keyFiles } from "./keys.ts";

/** Renewal is due three months ahead: what a look misses, a later one finds. */
const LOOK_MS = 6 * 3_600_000;

export type Renewed = "broker" | "listener" | "worker";
const ALL: readonly Renewed[] = ["broker", "listener", "worker"];

/** Which of them were made anew now. */
export async function renew(stateFolder: string, names: readonly string[], now = new Date()): Promise<Renewed[]> {
  const files = keyFiles(stateFolder);
  const read = () => ALL.map((name) => readFileSync(files[name].cert, "utf8"));
  const before = read();
  await ensureKeys(stateFolder, names, now);
  return read().flatMap((after, at) => (after === before[at] ? [] : [ALL[at]!]));
}

type Running = {
  stateFolder: string;
  names: readonly string[];
  /** The parts that read each of them; none where somebody else runs it. */
  readers: (name: Renewed) => readonly { name: string; kill(signal: NodeJS.Signals): void }[];
  say: (line: string) => void;
};

export async function keepRenewed({ stateFolder, names, readers, say }: Running, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const parts = new Set((await renew(stateFolder, names)).flatMap((name) => tell(name, readers(name), say)));
      for (const part of parts) part.kill("SIGTERM"); // its supervisor starts it again at once
    } catch (error) {
      say(`Certificates could not be looked at: ${(error as Error).message}`);
    }
  }
}

function tell<T extends { name: string }>(
  name: Renewed,
  parts: readonly T[],
  say: (line: string) => void,
): readonly T[] {
  const then =
    parts.length > 0
      ? `${parts.map((part) => part.name).join(" and ")} start again with it.`
      : "Give its new file to what serves it (docs/operations.md).";
  say(`The certificate of the ${name} was made anew, in time: ${then}`);
  return parts;
}
