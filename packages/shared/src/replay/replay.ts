/** Rows of inputs, in order of time within a trail → how a candidate would have decided otherwise than the policy in force.
 *  Both are asked by the functions the agent decides by; nothing of it is kept but counts and examples. Pure. */
import { canonicalText, type Json } from "../base/canonical.ts";
import { unreachable } from "../base/unreachable.ts";
import { AlertFlips } from "./alerts.ts";
import { type Flip, flipOf } from "./flip.ts";
import { type Input, MINUTE_MS, type Seen } from "./input.ts";
import { LineFlips } from "./lines.ts";
import { notesOf } from "./notes.ts";
import { type Asked, type Decided, pairsOf, type ReplayParts, wasOtherwise } from "./pairs.ts";
import { REPLAYED, type Replayed, type ReplayResult } from "./result.ts";
import { Tally } from "./tally.ts";
import type { Told, Turned } from "./turned.ts";
import { inputWords, stickOf } from "./words.ts";

export type Workstation = { id: string; name: string };

/** Inputs whose answers are remembered: most rows are of few inputs. */
const REMEMBERED_MAX = 500_000;

/** `isQuiet`: of its answers, which hold always, there is nothing to tell. */
type Remembered = { input: Input; asked: Asked | undefined; isQuiet: boolean };

export class Replay {
  readonly #parts: ReplayParts;
  readonly #tally = new Tally();
  readonly #changed: ReadonlySet<Replayed>;
  readonly #remembered = new Map<number, Remembered>();
  readonly #ask;
  readonly #alerts: AlertFlips;
  readonly #lines: LineFlips;
  #workstation: Workstation = { id: "", name: "" };
  #trail = -1;
  #bucket = -1;

  constructor(parts: ReplayParts) {
    const { before, after } = parts;
    this.#parts = parts;
    this.#changed = new Set(REPLAYED.filter((each) => textOf(before[each]) !== textOf(after[each])));
    this.#ask = pairsOf(parts);
    // a section in audit mode leaves the detector and the limits as they are
    this.#alerts = new AlertFlips(before.ids, after.ids.mode === "audit" ? before.ids : after.ids, this.#told("ids"));
    this.#lines = new LineFlips(before.log, after.log.mode === "audit" ? before.log : after.log, this.#told("log"));
  }

  /** Those it must be told before rows of them are added. */
  lacks(inputs: Iterable<number>): number[] {
    if (this.#remembered.size > REMEMBERED_MAX) this.#remembered.clear();
    return [...new Set(inputs)].filter((id) => !this.#remembered.has(id));
  }

  tell(id: number, input: Input): void {
    this.#remembered.set(id, { input, asked: undefined, isQuiet: false });
  }

  /** Rows of a trail come together, in order of their buckets. @throws where its input was not told */
  add(workstation: Workstation, seen: Seen): void {
    if (seen.trail !== this.#trail || seen.bucket !== this.#bucket) this.#flush();
    this.#workstation = workstation;
    this.#trail = seen.trail;
    this.#bucket = seen.bucket;
    const found = this.#remembered.get(seen.input);
    if (!found) throw new Error(`input ${seen.input} was not told`);
    const { input } = found;
    switch (input.kind) {
      case "device":
      case "scan":
        this.#decision("usb", seen, input, found);
        break;
      case "net":
        this.#decision("network", seen, input, found);
        break;
      case "alert":
        this.#tally.decided("ids", seen.count);
        if (this.#changed.has("ids")) this.#alerts.add(seen, input);
        break;
      case "lines":
        this.#tally.decided("log", seen.count);
        if (this.#changed.has("log")) this.#lines.add(seen, input);
        break;
      default:
        unreachable(input);
    }
  }

  get decisions(): number {
    return this.#tally.decisions;
  }

  get flips(): Record<Flip, number> {
    return this.#tally.flips;
  }

  result(): ReplayResult {
    this.#flush();
    const found = this.#tally.result((section) => this.#changed.has(section));
    return { ...found, notes: notesOf(this.#parts, found) };
  }

  #decision(section: Replayed, row: Seen, input: Decided, found: Remembered): void {
    this.#tally.decided(section, row.count);
    if (!this.#changed.has(section) || found.isQuiet) return;
    const asked = found.asked ?? this.#ask(row, input);
    const isAlways = "always" in asked;
    if (isAlways) found.asked = asked;
    const pairs = isAlways ? [asked.always] : asked.atMoments;
    const { before, after } = pairs[0]!;
    const isSame = pairs.every(
      (each) => each.before.outcome === before.outcome && each.after.outcome === after.outcome,
    );
    const unknown = !isSame
      ? "a window began or ended within the hour it is counted in"
      : [after, before].find(({ outcome }) => outcome === "unknown")?.reason;
    if (unknown !== undefined) {
      this.#tally.unknown(unknown, row.count);
      return;
    }
    const otherwise = wasOtherwise(input, before.outcome);
    if (otherwise) this.#tally.otherwiseThen += row.count;
    const flip = flipOf(before.outcome, after.outcome);
    const { count } = row;
    if (flip)
      this.#turned(section, { flip, row, input, count, rule: after.rule, before: before.reason, after: after.reason });
    else found.isQuiet = isAlways && !otherwise;
  }

  /** A bucket is over: what needed all of it is decided. */
  #flush(): void {
    this.#lines.flush();
    this.#alerts.flush();
  }

  #told(section: Replayed): Told {
    return {
      turned: (each) => this.#turned(section, each),
      unknown: (why, count) => this.#tally.unknown(why, count),
      otherwiseThen: (count) => {
        this.#tally.otherwiseThen += count;
      },
    };
  }

  #turned(section: Replayed, { flip, row, input, count, rule, before, after }: Turned): void {
    const workstation = this.#workstation; // its rows are all told before another's are added
    const { guest, trail, firstIndex, lastIndex, bucket, firstMs } = row;
    const stick = stickOf(input);
    this.#tally.flipped({
      flip,
      section,
      count,
      subjects: {
        workstation: { key: workstation.id, name: workstation.name },
        ...(guest !== "" && { guest: { key: guest, name: guest } }),
        ...(stick && { stick }),
        rule: { key: `${section}: ${rule}`, name: `${section}: ${rule}` },
      },
      example: () => ({
        words: inputWords(input),
        before,
        after,
        rule,
        workstation,
        guest,
        trail,
        index: firstIndex,
        lastIndex,
        at: new Date(bucket * MINUTE_MS + firstMs).toISOString(),
      }),
    });
  }
}

const textOf = (section: unknown): string => canonicalText(section as Json);
