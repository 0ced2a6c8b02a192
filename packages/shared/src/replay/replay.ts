/** Rows of inputs, in order of time within a trail → how a candidate would have decided otherwise than the policy in force.
 *  Both are asked by the functions the agent decides by; nothing of it is kept but counts and examples. Pure. */
import { canonicalText, type Json } from "../base/canonical.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Policy } from "../policy/policy.ts";
import { type Suppression, suppressor, Thresholds } from "./alerts.ts";
import { type Answer, type Flip, flipOf, type Outcome } from "./flip.ts";
import { type AlertInput, type Input, type LinesInput, MINUTE_MS, type NetInput, type Seen } from "./input.ts";
import { Lines, type Minute, noMinute } from "./lines.ts";
import { momentsWithin, networkJudge } from "./network.ts";
import { notesOf } from "./notes.ts";
import { REPLAYED, type Replayed, type ReplayResult } from "./result.ts";
import { Tally } from "./tally.ts";
import { judgeDeviceInput, judgeScanInput } from "./usb.ts";
import { inputWords, stickOf } from "./words.ts";

export type ReplayParts = {
  before: Policy;
  after: Policy;
  /** Hashes of files in the records from `first` to `last` that either policy denies. */
  denied?: (trail: number, first: number, last: number) => readonly string[];
};
export type Workstation = { id: string; name: string };

/** Inputs whose answers are remembered: most rows are of few inputs. */
const REMEMBERED_MAX = 500_000;
/** Alerts of one hour that wait to be put in order of time; more are not known. */
const ALERTS_MAX = 200_000;

type Pair = { before: Answer; after: Answer };
/** `isQuiet`: of its pair there is nothing to tell. */
type Remembered = { input: Input; pair: Pair | undefined; isQuiet: boolean };
type Alerted = { atMs: number; row: Seen; input: AlertInput };

export class Replay {
  readonly #parts: ReplayParts;
  readonly #tally = new Tally();
  readonly #changed: ReadonlySet<Replayed>;
  readonly #remembered = new Map<number, Remembered>();
  readonly #packets;
  readonly #suppressors;
  readonly #thresholds;
  readonly #lines;
  #workstation: Workstation = { id: "", name: "" };
  #trail = -1;
  #bucket = -1;
  #minutes = new Map<string, { minute: Minute; row: Seen; via: LinesInput["via"] }>();
  #alerts: Alerted[] = [];

  constructor(parts: ReplayParts) {
    const { before, after } = parts;
    this.#parts = parts;
    this.#changed = new Set(REPLAYED.filter((each) => textOf(before[each]) !== textOf(after[each])));
    // a section in audit mode leaves the detector and the limits as they are
    const stays = {
      ...after,
      ids: after.ids.mode === "audit" ? before.ids : after.ids,
      log: after.log.mode === "audit" ? before.log : after.log,
    };
    const both = <T>(make: (policy: Policy) => T) => ({ before: make(before), after: make(stays) });
    this.#packets = both(({ network }) => networkJudge(network));
    this.#suppressors = both(({ ids }) => suppressor(ids));
    this.#thresholds = both(({ ids }) => new Thresholds(ids));
    this.#lines = both(({ log }) => new Lines(log, before.log));
  }

  /** Those it must be told before rows of them are added. */
  lacks(inputs: Iterable<number>): number[] {
    if (this.#remembered.size > REMEMBERED_MAX) this.#remembered.clear();
    return [...new Set(inputs)].filter((id) => !this.#remembered.has(id));
  }

  tell(id: number, input: Input): void {
    this.#remembered.set(id, { input, pair: undefined, isQuiet: false });
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
      case "net":
        this.#decision(seen, found, input.kind === "net" ? "network" : "usb");
        break;
      case "alert":
        this.#alert(seen, input);
        break;
      case "lines":
        this.#line(seen, input);
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

  #decision(row: Seen, found: Remembered, section: Replayed): void {
    this.#tally.decided(section, row.count);
    if (!this.#changed.has(section) || found.isQuiet) return;
    const pairs = this.#pairs(row, found);
    const [first] = pairs;
    const same = pairs.every(
      ({ before, after }) => before.outcome === first!.before.outcome && after.outcome === first!.after.outcome,
    );
    const { before, after } = first!;
    const unknown = !same
      ? "a window began or ended within the hour it is counted in"
      : [after, before].find(({ outcome }) => outcome === "unknown")?.reason;
    if (unknown !== undefined) {
      this.#tally.unknown(unknown, row.count);
      return;
    }
    const otherwise = wasOtherwise(found.input, before.outcome);
    if (otherwise) this.#tally.otherwiseThen += row.count;
    const flip = flipOf(before.outcome, after.outcome);
    found.isQuiet = found.pair !== undefined && !otherwise && !flip;
    if (flip) this.#flipped(section, flip, row, found.input, row.count, after.rule, before.reason, after.reason);
  }

  /** What both answer: once for an input, or at each moment that may make a difference. */
  #pairs({ trail, bucket, firstIndex, lastIndex, firstMs, lastMs }: Seen, found: Remembered): Pair[] {
    const { before, after, denied } = this.#parts;
    const { input } = found;
    const startMs = bucket * MINUTE_MS;
    if (found.pair) return [found.pair];
    switch (input.kind) {
      case "device":
        found.pair = { before: judgeDeviceInput(input, before.usb), after: judgeDeviceInput(input, after.usb) };
        return [found.pair];
      case "scan": {
        const hashes = denied?.(trail, firstIndex, lastIndex) ?? [];
        const at = new Date(startMs + firstMs);
        return [
          {
            before: judgeScanInput(input, before.usb, hashes, at),
            after: judgeScanInput(input, after.usb, hashes, at),
          },
        ];
      }
      case "net": {
        const moments = new Set(
          [before, after].flatMap(({ network }) => momentsWithin(network, startMs + firstMs, startMs + lastMs)),
        );
        const pairs = [...moments].map((at) => this.#packet(input, at));
        if (!isTimed(before) && !isTimed(after)) found.pair = pairs[0];
        return pairs;
      }
      case "alert":
      case "lines":
        return []; // have ways of their own
      default:
        return unreachable(input);
    }
  }

  #packet(input: NetInput, atMs: number): Pair {
    return { before: this.#packets.before(input, atMs), after: this.#packets.after(input, atMs) };
  }

  #alert(row: Seen, input: AlertInput): void {
    this.#tally.decided("ids", row.count);
    if (!this.#changed.has("ids")) return;
    if (!this.#thresholds.before.has(input) && !this.#thresholds.after.has(input)) {
      const both = { before: this.#suppressors.before(input), after: this.#suppressors.after(input) };
      this.#raised(row, input, row.count, both.before, both.after, "suppress");
      return;
    }
    if (this.#alerts.length + row.count > ALERTS_MAX) {
      this.#tally.unknown("more alerts in one hour than can be put in order", row.count);
      return;
    }
    const startMs = row.bucket * MINUTE_MS;
    const each = row.count > 1 ? (row.lastMs - row.firstMs) / (row.count - 1) : 0;
    for (let at = 0; at < row.count; at++) this.#alerts.push({ atMs: startMs + row.firstMs + at * each, row, input });
  }

  #raised(row: Seen, input: AlertInput, count: number, before: Suppression, after: Suppression, rule: string): void {
    if (before === "suppressed") this.#tally.otherwiseThen += count;
    if (before === after) return;
    const flip = after === "suppressed" ? "new-suppressed" : "new-alerts";
    this.#flipped("ids", flip, row, input, count, `${rule} ${input.signatureId}`, before, after);
  }

  #line(row: Seen, { via, severity, held }: LinesInput): void {
    this.#tally.decided("log", row.count);
    if (!this.#changed.has("log")) return;
    const key = `${row.guest} ${via}`;
    const found = this.#minutes.get(key) ?? { minute: noMinute(), row, via };
    this.#minutes.set(key, found);
    if (held === "rate") found.minute.rateHeld += row.count;
    else if (held === "severity") found.minute.severityHeld += row.count;
    else {
      const level = severity ?? "info";
      found.minute.bySeverity.set(level, (found.minute.bySeverity.get(level) ?? 0) + row.count);
    }
  }

  /** A bucket is over: what needed all of it is decided. */
  #flush(): void {
    for (const [key, { minute, row, via }] of this.#minutes) {
      const about = `${row.trail} ${key}`;
      const before = this.#lines.before.keeps(about, row.bucket, minute);
      const after = this.#lines.after.keeps(about, row.bucket, minute);
      this.#tally.unknown(
        "the severity of lines that were held back is not recorded",
        Math.max(before.unknown, after.unknown),
      );
      const gained = after.kept - before.kept;
      // what is not known on either side is no flip
      const count = Math.max(0, Math.abs(gained) - Math.abs(after.unknown - before.unknown));
      if (count === 0) continue;
      const flip = gained < 0 ? "new-lost-lines" : "new-kept-lines";
      const words = ({ kept, held }: { kept: number; held: number }) => `${kept} kept, ${held} held back`;
      this.#flipped("log", flip, row, { kind: "lines", via }, count, "log limits", words(before), words(after));
    }
    this.#minutes.clear();
    this.#alerts.sort((a, b) => a.atMs - b.atMs);
    for (const { atMs, row, input } of this.#alerts) {
      const ask = (which: "before" | "after"): Suppression => {
        if (this.#suppressors[which](input) === "suppressed") return "suppressed";
        const thresholds = this.#thresholds[which];
        return thresholds.has(input) ? thresholds.take(String(row.trail), input, atMs) : "raised";
      };
      this.#raised(row, input, 1, ask("before"), ask("after"), "threshold");
    }
    this.#alerts = [];
  }

  #flipped(
    section: Replayed,
    flip: Flip,
    row: Seen,
    input: Input,
    count: number,
    rule: string,
    before: string,
    after: string,
  ): void {
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

const isTimed = ({ network }: Policy): boolean => network.rules.some(({ during }) => during !== undefined);
const textOf = (section: unknown): string => canonicalText(section as Json);

/** Another policy was in force then, or a person made an exception. */
function wasOtherwise(input: Input, outcome: Outcome): boolean {
  switch (input.kind) {
    case "device":
      return input.blocked !== (outcome === "block");
    case "scan":
      return (input.verdict === "allow" ? "pass" : input.verdict) !== outcome;
    case "net":
      return (input.seen === "dropped") !== (outcome === "block");
    case "alert":
    case "lines":
      return false;
    default:
      return unreachable(input);
  }
}
