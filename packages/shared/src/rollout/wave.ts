/** Which wave a workstation is in. The same answer for ever from the same labels, so that one that joins late or comes
 *  back gets what its wave has. Pure. */
import { toUtf8 } from "../base/bytes.ts";
import type { Hash } from "../base/crypto.ts";
import type { Plan, Wave } from "./plan.ts";

export type Pickable = { id: string; labels: readonly string[] };

/** 0 to just below 100, evenly spread; another rollout shuffles anew, so that it is not always the same who go first. */
export function bucket(hash: Hash, rollout: string, workstation: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = hash(toUtf8(`sallyport/wave/1\n${rollout}\n${workstation}`));
  return ((a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32) * 100;
}

/** Counts from 0. The last wave is all, so there is always one. */
export function waveOf(hash: Hash, plan: Plan, rollout: string, workstation: Pickable): number {
  const place = bucket(hash, rollout, workstation.id);
  const at = plan.waves.findIndex((wave) => picks(wave, workstation, place));
  return at < 0 ? plan.waves.length - 1 : at;
}

const picks = (wave: Wave, { labels }: Pickable, place: number): boolean =>
  wave.all === true ||
  (wave.label !== undefined && labels.includes(wave.label)) ||
  (wave.percent !== undefined && place < wave.percent);

/** "label canary", "10 % of the group", "all of the group". */
export function waveWords({ label, percent }: Wave): string {
  if (label !== undefined) return `label ${label}`;
  return percent !== undefined ? `${percent} % of the group` : "all of the group";
}
