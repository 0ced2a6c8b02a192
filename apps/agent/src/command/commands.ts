/** policy → command → dom0. What was ordered is on disk before it is answered, begun there before it is done, and ended
 *  there before it is told: kill -9 at any moment neither loses an order nor carries out a destructive one twice. A cut
 *  waits for no room on the disk (docs/decisions/2026-11-30-orders-on-a-full-disk.md). */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Sha256, Time } from "@sallyport/shared/base/ids.ts";
import { Command } from "@sallyport/shared/command/command.ts";
import { type Cut, inForce } from "@sallyport/shared/command/isolation.ts";
import { type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { sha256 } from "../dom0/crypto.ts";
import type { Log } from "../dom0/log.ts";
import type { Spare } from "../dom0/spare.ts";
import { Bell } from "../pace.ts";
import type { Emit, Position } from "../sources/source.ts";
import { answersOf, Told } from "./answers.ts";
import {
  begin,
  EMPTY_JOURNAL,
  type End,
  end,
  faultOfRoom,
  faultOfTurn,
  goesAhead,
  isLate,
  type Journal,
  LANES,
  type Lane,
  LIVES_MAX,
  lapse,
  nextOf,
  type Ordered,
  take,
  told,
  turnAway,
} from "./journal.ts";
import { decode, type JournalFile } from "./journal-file.ts";
import type { Outcome, Performer, Performers } from "./performer.ts";

export type CommandParts = {
  file: JournalFile;
  spare: Spare;
  emit: Emit;
  position: (name: string) => Json | undefined;
  /** The latest moment that has come for certain, and dom0's own clock; milliseconds. */
  floor: () => number;
  now: () => number;
  tell: (observation: Observation) => void;
  /** The isolation began or ended; a wake-up and no more. */
  changed: () => void;
  log: Log;
};

/** Clocks may be set: an isolation's end is looked for at least this often. */
const LOOK_EVERY_MS = 30_000;
/** What the disk did not take is offered to it again. */
const KEEP_AGAIN_MS = 1_000;
const POSITION = "commands";
const REASON_CHARS_MAX = 1_000;

export class Commands {
  readonly #parts: CommandParts;
  readonly #bells: Record<Lane, Bell> = { cut: new Bell(), other: new Bell() };
  #journal: Journal = EMPTY_JOURNAL;
  /** As the disk has it. */
  #kept: Journal = EMPTY_JOURNAL;
  #telling = false;
  /** Why the disk has not taken the journal as it stands; nothing of it is told before. */
  #unkept: string | undefined;

  private constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** Reads what was left; before the first look at the firewall, so that an isolation holds over a restart. */
  static async open(parts: CommandParts): Promise<Commands> {
    const commands = new Commands(parts);
    const read = await parts.file.read();
    if (read.ok) commands.#goOnFrom(read.value, commands.#left(textOf(read.value)));
    else commands.#goOnWithout(read.error);
    return commands;
  }

  /** Nothing is made up of what was ordered; a cut that a full disk had not taken only takes away, and holds, as well against
   *  a release that was turned away before it. */
  #goOnWithout(why: string): void {
    const { log, tell, now } = this.#parts;
    const left = this.#left(undefined);
    const isolation = left?.isolation;
    const ordered = left?.ordered.filter(({ command }) => goesAhead(command.verb)) ?? [];
    this.#goOnFrom(EMPTY_JOURNAL, isolation ? { ...left, ordered } : undefined);
    const cut = isolation ? `but the cut until ${isolation.until} holds` : "and an isolation with them";
    log.error({ why }, "command.journal-damaged");
    tell({
      kind: "agent.malformed",
      severity: "critical",
      time: now(),
      text: `Orders that were not carried out yet are lost, ${cut}: ${why}`,
      body: { source: "command", reason: why, bytes: 0, rawBase64: "", truncated: false },
    });
  }

  #left(disk: string | undefined): Journal | undefined {
    const left = this.#parts.spare.beyond(disk);
    return left === undefined ? undefined : decode(left);
  }

  #goOnFrom(kept: Journal, left: Journal | undefined): void {
    this.#kept = kept;
    this.#journal = left ?? kept;
    if (left) this.#unkept = "it has waited for room since before the agent was started";
  }

  holds(signed: SignedStatement): boolean {
    const mark = markOf(signed);
    return this.#journal.ordered.some((each) => each.mark === mark);
  }

  /** Why it is not taken now though it is believed. */
  refusal(signed: SignedStatement): string | undefined {
    return faultOfRoom(this.#journal, Command.parse(JSON.parse(signed.carried)));
  }

  /** Why what is carried out is not on disk yet; nothing where it is. */
  get unkept(): string | undefined {
    return this.#unkept;
  }

  /** Believed already. On disk when it returns, but for a cut on a full one. @throws where the disk has no room for another */
  take(signed: SignedStatement): void {
    const { digest, order } = Statement.parse(JSON.parse(signed.text));
    const command = Command.parse(JSON.parse(signed.carried));
    const mark = markOf(signed);
    const next = take(this.#journal, { command, digest, mark, order, taken: this.#time() });
    if (goesAhead(command.verb)) this.#keepOnceThereIsRoom(next);
    else {
      try {
        this.#keep(next);
      } catch (error) {
        if (command.verb === "release") this.#keepOnceThereIsRoom(turnAway(this.#journal, mark));
        throw error;
      }
    }
    this.#parts.log.info({ verb: command.verb, id: command.id, order }, "command.received");
    this.#ring();
  }

  get isolation(): Cut | undefined {
    return inForce(this.#journal.isolation ?? undefined, this.#parts.floor(), this.#parts.now());
  }

  /** Lanes beside each other. Each step of the journal is one write of all of it, as it then stands. */
  async run(performers: Performers, signal: AbortSignal): Promise<void> {
    await Promise.all(LANES.map((lane) => this.#runLane(lane, performers, signal)));
  }

  async #runLane(lane: Lane, performers: Performers, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#unkept !== undefined) this.#keepOnceThereIsRoom(this.#journal);
      this.#tell();
      const lapsed = lapse(this.#journal, this.isolation);
      if (lapsed !== this.#journal) {
        this.#keepOnceThereIsRoom(lapsed);
        this.#parts.changed();
      }
      const next = nextOf(this.#journal, lane);
      if (next) await this.#carryOut(next, performers, signal);
      else await this.#bells[lane].wait(this.#waitMs(), signal);
    }
  }

  async #carryOut(ordered: Ordered, performers: Performers, signal: AbortSignal): Promise<void> {
    const { command, stage } = ordered;
    const performer = performers[command.verb] as unknown as Performer<Command["verb"]>;
    const isAgain = stage.state === "begun";
    if (!isAgain && isLate(command, this.#parts.floor(), this.#parts.now()))
      return this.#end(ordered, { state: "expired", finished: this.#time() });
    const fault = isAgain ? undefined : faultOfTurn(this.#journal, ordered);
    if (fault !== undefined) return this.#end(ordered, this.#failed(fault));
    if (stage.state === "begun" && stage.lives >= LIVES_MAX)
      return this.#end(ordered, this.#failed(`it was begun ${LIVES_MAX} times, and the agent ended each time`));
    try {
      const noted = stage.state === "begun" ? stage.noted : await performer.note(command);
      const begun = begin(this.#journal, command.id, noted);
      if (goesAhead(command.verb)) this.#keepOnceThereIsRoom(begun);
      else this.#keep(begun);
      this.#parts.log.info({ verb: command.verb, id: command.id, isAgain }, "command.begun");
      const outcome = await performer.perform({ command, noted, isAgain, signal });
      // a program that was killed by our own end says nothing of the command: the next start goes on with it
      if (!signal.aborted || outcome.outcome === "done") this.#end(ordered, this.#endOf(outcome));
    } catch (error) {
      if (!signal.aborted) this.#end(ordered, this.#failed((error as Error).message));
    }
  }

  #endOf({ outcome, reason, found, observations }: Outcome): End {
    return {
      state: outcome,
      finished: this.#time(),
      ...(reason !== undefined && { reason: wordsOf(reason) }),
      ...(found !== undefined && { found }),
      ...(observations && observations.length > 0 && { left: observations as unknown as Json[] }),
    };
  }

  #failed = (reason: string): End => ({
    state: "failed",
    finished: this.#time(),
    reason: wordsOf(reason),
  });

  #end({ command }: Ordered, how: End): void {
    this.#keepOnceThereIsRoom(end(this.#journal, command.id, how));
    const { state, reason } = how;
    this.#parts.log.info({ verb: command.verb, id: command.id, state, reason }, "command.ended");
    this.#tell();
    // the other lane may have waited for it
    this.#ring();
  }

  /** What the trail does not say yet, with where it then stands, in one transaction. A full spool makes the answer wait,
   *  never the command. */
  #tell(): void {
    if (this.#telling || this.#unkept !== undefined) return;
    const stands = Told.safeParse(this.#parts.position(POSITION));
    const answers = answersOf(this.#journal, stands.success ? stands.data : {}, this.#parts.now());
    if (!answers) return;
    this.#telling = true;
    const position: Position = { name: POSITION, value: answers.told };
    this.#parts
      .emit({ observations: answers.observations, position })
      .then(() => {
        this.#telling = false;
        for (const id of answers.ended) this.#keepOnceThereIsRoom(told(this.#journal, id));
        this.#ring();
      })
      .catch((error: Error) => this.#parts.log.warn({ error: error.message }, "command.untold"));
  }

  #ring(): void {
    for (const lane of LANES) this.#bells[lane].ring();
  }

  #waitMs(): number {
    const { isolation } = this;
    const { floor, now } = this.#parts;
    const left = isolation ? Date.parse(isolation.until) - Math.min(floor(), now()) : LOOK_EVERY_MS;
    return Math.max(1, Math.min(this.#unkept === undefined ? LOOK_EVERY_MS : KEEP_AGAIN_MS, left));
  }

  /** On disk when it returns. @throws where the disk does not take it: then nothing has changed */
  #keep(journal: Journal): void {
    if (journal === this.#journal && this.#unkept === undefined) return;
    this.#parts.file.write(journal);
    if (this.#unkept !== undefined) this.#parts.spare.drop();
    this.#journal = journal;
    this.#kept = journal;
    this.#unkept = undefined;
  }

  /** What happened has happened, whether the disk is full or not: it counts from here on, is written at the next look
   *  that finds room, and told after that. A start in between goes on with what was noted when it was begun. */
  #keepOnceThereIsRoom(journal: Journal): void {
    try {
      this.#keep(journal);
    } catch (error) {
      const { message } = error as Error;
      if (this.#unkept === undefined) this.#parts.log.error({ error: message }, "command.not-kept");
      if (journal !== this.#journal || this.#unkept === undefined)
        this.#parts.spare.keep(textOf(this.#kept), JSON.stringify(journal));
      this.#journal = journal;
      this.#unkept = message;
    }
  }

  #time = (): Time => new Date(this.#parts.now()).toISOString() as Time;
}

const textOf = (journal: Journal): string => canonicalText(JSON.parse(JSON.stringify(journal)) as Json);

const wordsOf = (reason: string): string => reason.slice(0, REASON_CHARS_MAX).toWellFormed();

const markOf = (signed: SignedStatement): Sha256 => toHex(sha256(new TextEncoder().encode(signed.text))) as Sha256;
