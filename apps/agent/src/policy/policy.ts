/** link → policy → reconcile. Statements are verified, kept on disk, and only then acted on; the last good one stays. What
 *  only takes away is acted on though the disk is full, and kept once it is not
 *  (docs/decisions/2026-11-30-orders-on-a-full-disk.md). */
import { createHash } from "node:crypto";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { readJson } from "@sallyport/shared/base/json.ts";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import {
  DESIRED_CHARS_MAX,
  Desired,
  SignedStatement,
  Statement,
  type StatementType,
} from "@sallyport/shared/policy/statement.ts";
import { aheadWords, type Refusal } from "@sallyport/shared/policy/verify.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { z } from "zod";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { REFUSED_REMEMBERED } from "../limits.ts";
import { beliefOf, believe, type InForce, inForce, isPassed, membershipKey } from "./believe.ts";
import { exceptionsOf } from "./exceptions.ts";
import { Keeping, type KeepingParts } from "./keeping.ts";
import type { Kept } from "./kept.ts";
import { hear, issuedBy, latestOf, type Moments } from "./moments.ts";
import { adding, deniedOf, type HeldOverlay, heldOverlays, type OverlayInForce, standing } from "./overlays.ts";
import type { Self } from "./self.ts";

export type PolicyParts = KeepingParts & {
  self: Self;
  kept: Kept;
  now: () => number;
  monotonic: () => number;
  tell: (observation: Observation) => void;
  /** What was ordered: on disk when `take` returns, or a cut that waits for no disk, and known from then on however often it
   *  comes. */
  commands: {
    holds(signed: SignedStatement): boolean;
    /** Why there is no room for it now, or nothing where there is. */
    refusal(signed: SignedStatement): string | undefined;
    take(signed: SignedStatement): void;
  };
  /** Something was taken, of this type, or refused; a wake-up and no more. */
  changed: (taken?: StatementType) => void;
};
export type Refused = { code: string; reason: string; order?: number; at: string };

/** Clocks that were set are looked at again no sooner. */
const MOMENT_MS = 100;
/** The floor is written this rarely when nothing else is. */
const FLOOR_STEP_MS = 300_000;
/** A console whose clock is wrong says so with each receipt. */
const AHEAD_TOLD_EVERY_MS = 3_600_000;

const momentsOf = ({ floor, heard = 0 }: Kept): Moments => ({ floor, heard });

export class PolicyKeeper {
  readonly #parts: PolicyParts;
  readonly #keeping: Keeping;
  #at: Moments & { monotonic: number };
  #aheadToldAt = Number.NEGATIVE_INFINITY;
  #inForce: InForce | undefined;
  #refused: Refused | undefined;
  readonly #held = new WeakMap<Kept, HeldOverlay[]>();
  readonly #told: string[] = [];
  /** By the channel it came on, the newest message of which the disk did not take all: nobody sends it again before the next
   *  connection. */
  readonly #turnedAway = new Map<string, { message: Uint8Array; why: string }>();

  constructor(parts: PolicyParts) {
    this.#parts = parts;
    this.#keeping = new Keeping(parts, parts.kept);
    this.#at = { ...momentsOf(this.#keeping.believed), monotonic: parts.monotonic() };
    this.#inForce = inForce(sha256, parts.self, parts.kept);
  }

  get inForce(): InForce | undefined {
    return this.#inForce;
  }
  /** The newest statement of policy that was refused; none since a policy was taken. */
  get refused(): Refused | undefined {
    return this.#refused;
  }
  get group(): GroupId {
    return beliefOf(sha256, this.#parts.self, this.#keeping.kept).group;
  }
  /** As the newest `keys` statement names them, else as enrolled: one that it leaves out is no key any more. */
  get consoleKeys(): readonly string[] {
    return this.#keeping.kept.consoleKeys.length > 0 ? this.#keeping.kept.consoleKeys : this.#parts.self.consoleKeys;
  }
  /** Who may sign here by now, in a report's few words. */
  get signers(): { membership: number; threshold: number; keys: string[] } {
    const { signers } = beliefOf(sha256, this.#parts.self, this.#keeping.kept);
    const membership = this.#keeping.kept.orders[membershipKey(this.#parts.self)] ?? 0;
    return { membership, threshold: signers.threshold, keys: signers.keys.map(({ id }) => id) };
  }
  /** PEM certificates that a `keys` statement brought, beside the one of the enrolment. */
  get cas(): string[] {
    return this.#keeping.kept.cas;
  }

  /** The latest moment that has come for certain. */
  floor(): number {
    return this.#moments().floor;
  }

  #moments(): Moments {
    const since = this.#parts.monotonic() - this.#at.monotonic;
    return { floor: this.#at.floor + since, heard: this.#at.heard + since };
  }

  /** Exceptions that hold now, by our own clock, by the floor and by the console's word. */
  exceptions(): Exception[] {
    const now = this.#parts.now();
    return exceptionsOf(sha256, this.#parts.self, this.#keeping.kept, { now, floor: latestOf(now, this.#moments()) });
  }

  /** Deny overlays that hold now: of our own clock and the floor, the later one ends them. */
  overlays(): OverlayInForce[] {
    const standingIn = (kept: Kept) => standing(this.#heldIn(kept), { now: this.#parts.now(), floor: this.floor() });
    const { kept, believed } = this.#keeping;
    return believed === kept ? standingIn(kept) : adding(standingIn(kept), standingIn(believed));
  }

  /** Asked at each step of the gate. */
  #heldIn(kept: Kept): HeldOverlay[] {
    const known = this.#held.get(kept);
    if (known) return known;
    const held = heldOverlays(kept, { workstation: this.#parts.self.workstation, group: this.group });
    this.#held.set(kept, held);
    return held;
  }

  /** Until the next thing that is denied may be over; infinite where nothing is. */
  nextEndMs(): number {
    const latest = Math.min(this.#parts.now(), this.floor());
    return Math.max(MOMENT_MS, Math.min(...this.denied().map(({ until }) => Date.parse(until) - latest)));
  }

  /** What is blocked everywhere now. */
  denied(): OverlayEntry[] {
    return deniedOf(this.overlays());
  }

  /** Signed console time. What is too far ahead moves nothing and is told. */
  heard(time: number): void {
    const now = this.#parts.now();
    const next = hear(now, this.#moments(), time);
    if (!next) {
      this.#tellAhead(time, now);
      return;
    }
    this.#at = { ...next, monotonic: this.#parts.monotonic() };
    const kept = momentsOf(this.#keeping.kept);
    if (next.floor - kept.floor > FLOOR_STEP_MS || next.heard - kept.heard > FLOOR_STEP_MS)
      this.#keeping.keep({ ...this.#keeping.believed, ...next });
  }

  #tellAhead(time: number, now: number): void {
    if (this.#parts.monotonic() - this.#aheadToldAt < AHEAD_TOLD_EVERY_MS) return;
    this.#aheadToldAt = this.#parts.monotonic();
    const reason = aheadWords(`a receipt of ${new Date(time).toISOString()}`, issuedBy(now, this.#moments()));
    this.#parts.log.error({ time, now }, "receipt.ahead");
    this.#parts.tell({
      kind: "policy.refused",
      severity: "error",
      time: now,
      text: `The console's time is not believed: ${reason}`.slice(0, 512),
      body: { type: "receipt", code: "ahead", reason: reason.slice(0, 1024) },
    });
  }

  /** All that the console wants of this workstation, retained: each of its statements in order, but for those that were
   *  believed before and had their time. @throws where the disk has no room: it is tried again at each look */
  desired(untrusted: Uint8Array, channel = "desired"): void {
    this.#turnedAway.delete(channel);
    const json = readJson(Buffer.from(untrusted).toString("utf8"), DESIRED_CHARS_MAX);
    const desired = json.ok ? Desired.safeParse(json.value) : undefined;
    if (!desired?.success) {
      const reason = !json.ok ? json.error : z.prettifyError(desired!.error!);
      this.#refuse({ code: "malformed", reason }, untrusted);
      return;
    }
    const { statements } = desired.data;
    try {
      for (const [at, statement] of statements.entries())
        if (!isPassed(this.#keeping.believed, statements, at)) this.#offer(statement);
    } catch (error) {
      this.#turnedAway.set(channel, { message: untrusted, why: (error as Error).message });
      throw error;
    }
  }

  /** One order. What it asks for is command/'s; whether it is believed is decided here, as for a policy. */
  command(untrusted: Uint8Array): void {
    const json = readJson(Buffer.from(untrusted).toString("utf8"), DESIRED_CHARS_MAX);
    if (json.ok) this.#offer(json.value);
    else this.#refuse({ code: "malformed", reason: json.error }, untrusted);
  }

  #offer(untrusted: unknown): void {
    const { self, now, log, changed, commands } = this.#parts;
    const signed = SignedStatement.safeParse(untrusted);
    // sent again until the workstation's answer has come
    if (signed.success && commands.holds(signed.data)) return;
    const before = { ...this.#keeping.believed, ...this.#moments() };
    const believed = believe(sha256, ed25519Verify, self, before, untrusted, now());
    const full = believed.answer === "taken" && believed.type === "command" && commands.refusal(signed.data!);
    if (full) {
      const statement = Statement.parse(JSON.parse(signed.data!.text));
      this.#refuse({ code: "too-many", reason: full, statement }, Buffer.from(JSON.stringify(untrusted)));
      return;
    }
    switch (believed.answer) {
      case "held":
        return;
      case "refused":
        this.#refuse(believed.refusal, Buffer.from(JSON.stringify(untrusted)));
        return;
      case "taken": {
        // first what is to be done, then that its order was taken: a kill between them loses neither
        if (believed.type === "command") commands.take(signed.data!);
        const { type, kept } = believed;
        if (type === "command" || type === "overlay") this.#keeping.keepOnceThereIsRoom(kept);
        else this.#keeping.keep(kept);
        this.#at = { ...momentsOf(kept), monotonic: this.#parts.monotonic() };
        this.#inForce = inForce(sha256, self, this.#keeping.kept);
        if (type === "policy") this.#refused = undefined;
        log.info({ type, order: this.#inForce?.order }, "statement.taken");
        changed(type);
      }
    }
  }

  /** Why what is in force is not all on disk; nothing where it is. */
  get unkept(): string | undefined {
    return this.#keeping.unkept;
  }

  /** Why what the console wants is not all believed yet; nothing where it is. */
  get turnedAway(): string | undefined {
    return [...this.#turnedAway.values()][0]?.why;
  }

  /** At each look: what found no room is written, and what was turned away is taken, as soon as there is some. */
  keepAgain(): void {
    this.#writeAgain();
    for (const [channel, { message }] of [...this.#turnedAway]) {
      try {
        this.desired(message, channel);
      } catch {
        // there is still no room, and the report says so
      }
    }
  }

  #writeAgain(): void {
    if (this.unkept === undefined) return;
    this.#keeping.keepOnceThereIsRoom({ ...this.#keeping.believed, ...this.#moments() });
    // what it lifts stood until now
    if (this.unkept === undefined) this.#parts.changed("overlay");
  }

  /** Once for each statement: a retained message comes again at each connection. */
  #refuse({ code, reason, statement }: Refusal, bytes: Uint8Array): void {
    const mark = createHash("sha256").update(bytes).digest("hex");
    if (this.#told.includes(mark)) return;
    this.#told.push(mark);
    if (this.#told.length > REFUSED_REMEMBERED) this.#told.shift();
    const { now, tell, log, changed } = this.#parts;
    const order = statement?.order;
    // the report tells of policy; a command's answer is on the trail, and so is a refused overlay
    if (statement?.type !== "command" && statement?.type !== "overlay") {
      this.#refused = {
        code,
        reason: reason.slice(0, 1024),
        ...(order ? { order } : {}),
        at: new Date(now()).toISOString(),
      };
    }
    log.error({ code, reason, type: statement?.type, order }, "statement.refused");
    tell({
      kind: "policy.refused",
      severity: "error",
      time: now(),
      text: `A ${statement?.type ?? "signed"} statement was refused: ${reason}`.replaceAll("\n", "; ").slice(0, 512),
      body: {
        type: statement?.type ?? "unknown",
        ...(statement ? { digest: statement.digest, order: statement.order } : {}),
        code,
        reason: reason.slice(0, 1024),
      },
    });
    changed();
  }
}
