/** policy → appliers → report. Makes the policy in force true, section by section, and says what a look afterwards
 *  found. Woken by a change and by a timer, takes no hint, may run at any time, never tries again inside: the timer
 *  does. A section that fails, or takes its time, does not hold up the others. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import { Policy, SECTIONS, type SectionName } from "@sallyport/shared/policy/policy.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { type Applier, NotYet } from "../appliers/applier.ts";
import { unknownVolume } from "../appliers/disk.ts";
import { type Setting, settingsApplier } from "../appliers/settings.ts";
import { ungated } from "../appliers/usb.ts";

export type Appliers = { [N in SectionName]: Applier<N> };
export type Outcomes = Record<SectionName, SectionState>;

/** `made` are the appliers that drive this machine; a section that nothing drives yet is kept and not applied. */
export const listAppliers = (
  settings: { log: Setting<Policy["log"]>; agent: Setting<Policy["agent"]> },
  made: Pick<Appliers, "network" | "ids"> & Partial<Appliers>,
): Appliers => ({
  usb: ungated(),
  log: settingsApplier("log", settings.log),
  disk: unknownVolume(),
  agent: settingsApplier("agent", settings.agent),
  ...made,
});

/** A section that takes longer than any look at a machine under load holds up nobody: it loads rules, or what it asks hangs. */
const LATE_MS = 30_000;

type Looked = { wanted: string; state: SectionState };

/** The sections are looked at side by side, since none stands on another. What is known is there at any time. */
export class Looks {
  readonly #appliers: Appliers;
  readonly #ended: () => void;
  readonly #lateMs: number;
  #wanted: Policy = Policy.parse({});
  /** When the one that runs was begun. */
  readonly #running = new Map<SectionName, number>();
  /** Asked for while it was looked at. */
  readonly #again = new Set<SectionName>();
  readonly #last = new Map<SectionName, Looked>();

  /** `ended` is rung when one comes to its end that was not waited for. */
  constructor(appliers: Appliers, ended: () => void = () => {}, lateMs = LATE_MS) {
    this.#appliers = appliers;
    this.#ended = ended;
    this.#lateMs = lateMs;
  }

  /** Until each section that this call began has ended or is late. One that was late already is not waited for. */
  async look(wanted: Policy): Promise<void> {
    this.#wanted = wanted;
    const begun = SECTIONS.filter((name) => {
      if (!this.#running.has(name)) return true;
      this.#again.add(name);
      return false;
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#lateMs);
    });
    let isWaitedFor = true;
    const all = Promise.all(begun.map((name) => this.#begin(name, () => !isWaitedFor)));
    await Promise.race([all, late]);
    isWaitedFor = false;
    clearTimeout(timer);
  }

  #begin(name: SectionName, isLate: () => boolean): Promise<void> {
    const wanted = this.#wanted;
    const running = settle(this.#appliers, name, wanted).then((state) => {
      this.#last.set(name, { wanted: textOf(wanted, name), state });
      this.#running.delete(name);
      if (this.#again.delete(name)) void this.#begin(name, () => true);
      if (isLate()) this.#ended();
    });
    this.#running.set(name, performance.now());
    return running;
  }

  /** In the order of SECTIONS. Of a section that is late, what the look before found, if the same was wanted of it. */
  get outcomes(): Outcomes {
    const stateOf = (name: SectionName): SectionState => {
      const last = this.#last.get(name);
      const isLast = last?.wanted === textOf(this.#wanted, name);
      const begun = this.#running.get(name);
      const isLate = begun !== undefined && performance.now() - begun >= this.#lateMs;
      if (isLast && !isLate) return last.state;
      return isLast ? lateWords(last.state) : { outcome: "not-applied", pending: true, reason: NOT_YET };
    };
    return Object.fromEntries(SECTIONS.map((name) => [name, stateOf(name)])) as Outcomes;
  }
}

const NOT_YET =
  "A look at this section, or making it true, goes on for longer than the others: what is in force is not known yet.";
const SINCE = "A look at this section goes on for longer than the others: this is what the one before found.";

const lateWords = (state: SectionState): SectionState => ({
  ...state,
  reason: [SINCE, state.reason].filter(Boolean).join(" ").slice(0, 1024),
});

const textOf = (wanted: Policy, name: SectionName): string => canonicalText(wanted[name] as unknown as Json);

/** All of them, to their ends. */
export async function reconcile(appliers: Appliers, wanted: Policy): Promise<Outcomes> {
  const looks = new Looks(appliers, undefined, NEVER_MS);
  await looks.look(wanted);
  return looks.outcomes;
}
const NEVER_MS = 2 ** 31 - 1;

/** An applier is never at two things at once: a command may ask for its section while the others are looked at. */
const turns = new WeakMap<Applier, Promise<SectionState>>();

/** One section, now. @throws never */
export function settle<N extends SectionName>(appliers: Appliers, name: N, wanted: Policy): Promise<SectionState> {
  const applier = appliers[name] as unknown as Applier;
  const turn = (turns.get(applier) ?? Promise.resolve()).then(() => settleOne(appliers, name, wanted));
  turns.set(applier, turn);
  return turn;
}

async function settleOne<N extends SectionName>(appliers: Appliers, name: N, wanted: Policy): Promise<SectionState> {
  const applier = appliers[name] as unknown as Applier<N>;
  let before: SectionState | undefined;
  try {
    before = applier.judge(wanted[name], await applier.inspect());
    if (before.outcome !== "failed") return before;
    await applier.apply(wanted[name]);
    return applier.judge(wanted[name], await applier.inspect());
  } catch (error) {
    const reason = (error as Error).message.slice(0, 1024);
    // what is in force all the same
    const found = before?.found === undefined ? {} : { found: before.found };
    if (error instanceof NotYet) return { outcome: "not-applied", reason, pending: true, ...found };
    return { outcome: "failed", reason, ...found };
  }
}
