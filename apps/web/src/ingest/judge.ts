/** Batches that wait → what to append, what to answer, what to keep aside. Asks the store for what it must compare with
 *  and writes nothing: the commit does, and only if nobody moved the trail in between. */
import type { TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { TrailOpened } from "@sallyport/shared/record/agent.ts";
import { accept } from "@sallyport/shared/trail/accept.ts";
import { openCheckpoint, origin } from "@sallyport/shared/trail/checkpoint.ts";
import type { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { EMPTY_EDGE } from "@sallyport/shared/trail/tree.ts";
import { hash, verify } from "../trail/crypto.ts";
import type { Part } from "./copy.ts";
import type { Prepared } from "./prepare.ts";
import type { Row } from "./row.ts";
import { copyOf, Folded, growTiles, type NewBundle, type NewTile, type TrailMemory } from "./trails.ts";

export type Known = { state: "enrolled" | "quarantined" | "revoked"; trailKey: Uint8Array };

/** What judging asks of the store. */
export type Ask = {
  workstation(id: WorkstationId): Known | undefined;
  trail(id: TrailId): Promise<TrailMemory | undefined>;
  /** Leaf hashes of committed records. */
  leaves(trail: number, from: number, to: number): Promise<Uint8Array[]>;
  /** The session that sent the newest trail of a workstation. */
  newestSession(workstation: WorkstationId): Promise<string | undefined>;
  /** A number for a new trail. */
  number(): Promise<number>;
};

export type Refused = {
  code:
    | "malformed"
    | "hash"
    | "unknown"
    | "quarantined"
    | "revoked"
    | "trail"
    | "checkpoint"
    | "fork"
    | "closed"
    | "clone"
    | "topic"
    | "store";
  workstation: WorkstationId | undefined;
  topic: string;
  reason: string;
  bytes: Uint8Array;
};

export type Answer = { workstation: WorkstationId; trail: TrailId; answer: Receipt["answer"]; reason?: string };

/** `trail` as it is after this; `before` its size before. `opened` where it begins here. */
export type Append = {
  trail: TrailMemory;
  before: number;
  /** How many records it grows by. */
  count: number;
  parts: Part[];
  lookedInto: Row[];
  newestMs: number;
  leaves: Uint8Array[];
  tiles: NewTile[];
  bundles: NewBundle[];
  checkpoint: string;
  session: string;
  opened: TrailOpened | undefined;
};

export type Judged = { appends: Append[]; answers: Answer[]; refused: Refused[]; clones: WorkstationId[] };

export type Offer = Prepared & { topic: string };

export async function judge(ask: Ask, offers: readonly Offer[]): Promise<Judged> {
  const court = new Court(ask);
  for (const run of runsOf(offers)) await court.judge(run);
  return { appends: [...court.appends.values()], answers: court.answers, refused: court.refused, clones: court.clones };
}

/** Batches of one trail that follow on each other are judged by the newest one's checkpoint alone. */
export function runsOf(offers: readonly Offer[]): Offer[][] {
  const runs: Offer[][] = [];
  const current = new Map<WorkstationId, Offer[]>();
  for (const offer of offers) {
    const run = current.get(offer.workstation);
    const last = run?.at(-1)?.header;
    if (run && last && last.trail === offer.header.trail && last.from + last.count === offer.header.from) {
      run.push(offer);
      continue;
    }
    const next = [offer];
    runs.push(next);
    current.set(offer.workstation, next);
  }
  return runs;
}

class Court {
  readonly appends = new Map<TrailId, Append>();
  readonly answers: Answer[] = [];
  readonly refused: Refused[] = [];
  readonly clones: WorkstationId[] = [];
  readonly #ask: Ask;
  /** The trail each workstation opened within this group: whatever else it had is closed by it. */
  readonly #openedNow = new Map<WorkstationId, Append>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async judge(run: readonly Offer[]): Promise<void> {
    const [first, last] = [run[0]!, run.at(-1)!];
    const { workstation, header } = last;
    const known = this.#ask.workstation(workstation);
    if (!known) return this.#refuse(run, "unknown", "no such workstation is enrolled");
    const state = this.clones.includes(workstation) ? "quarantined" : known.state;
    if (state !== "enrolled") return this.#refuse(run, state, `the workstation is ${state}`);
    const stored = this.appends.get(header.trail)?.trail ?? (await this.#ask.trail(header.trail));
    if (stored && stored.workstation !== workstation)
      return this.#refuse(run, "trail", "the trail is another workstation's");
    const opened = stored ? undefined : openingOf(first);
    if (!stored && first.header.from > 0) return this.#answer(last, "ahead");
    if (!stored && !opened)
      return this.#refuse(run, "trail", "a trail begins with a trail.opened record that names it");

    const checkpoint = openCheckpoint(
      hash,
      verify,
      origin(workstation, header.trail),
      known.trailKey,
      header.checkpoint,
    );
    if (!checkpoint.ok) return this.#oneByOne(run, "checkpoint", checkpoint.error);
    const edge = stored?.edge ?? EMPTY_EDGE;
    const leaves = run.flatMap((each) => each.leaves);
    const from = first.header.from;
    const overlap = await this.#leaves(header.trail, stored, from, Math.min(from + leaves.length, edge.size));
    const folded = new Folded();
    const accepted = accept(hash, edge, { from, leaves, checkpoint: checkpoint.value }, overlap, folded.note);
    switch (accepted.answer) {
      case "duplicate":
      case "ahead":
        return this.#answer(last, accepted.answer);
      case "fork":
        return this.#oneByOne(run, "fork", accepted.reason);
      case "new": {
        if (stored && !this.#isOpen(stored)) return this.#afterClosing(run);
        const trail = stored ?? (await this.#newTrail(last));
        return this.#append(run, trail, accepted.skip, accepted.edge, folded, opened);
      }
      default:
        return unreachable(accepted);
    }
  }

  /** One bad batch must not take those before it along. */
  async #oneByOne(run: readonly Offer[], code: Refused["code"], reason: string): Promise<void> {
    if (run.length === 1) return this.#refuse(run, code, reason);
    for (const offer of run) await this.judge([offer]);
  }

  /** A closed trail goes on. By the session that closed it: a late message. By another: two of one key are alive. */
  async #afterClosing(run: readonly Offer[]): Promise<void> {
    const { workstation, header } = run.at(-1)!;
    const closer = this.#openedNow.get(workstation)?.session ?? (await this.#ask.newestSession(workstation));
    if (closer === header.session) return this.#refuse(run, "closed", "the trail was closed by a newer one");
    this.clones.push(workstation);
    this.#refuse(run, "clone", "a trail that a newer one closed goes on in another session: two machines use one key");
  }

  async #leaves(id: TrailId, trail: TrailMemory | undefined, from: number, to: number): Promise<Uint8Array[]> {
    if (!trail || from >= to) return [];
    const pending = this.appends.get(id);
    const committed = pending ? pending.before : trail.edge.size;
    const leaves = from < committed ? await this.#ask.leaves(trail.num, from, Math.min(to, committed)) : [];
    if (pending && to > committed) leaves.push(...pending.leaves.slice(Math.max(0, from - committed), to - committed));
    return leaves;
  }

  #isOpen(trail: TrailMemory): boolean {
    const newest = this.#openedNow.get(trail.workstation);
    return trail.state === "open" && (!newest || newest.trail.id === trail.id);
  }

  async #newTrail({ workstation, header }: Offer): Promise<TrailMemory> {
    const num = await this.#ask.number();
    const none = { edge: EMPTY_EDGE, tails: [], entries: [], range: undefined };
    return { num, id: header.trail, workstation, state: "open", ...none };
  }

  /** All of `run` but its first `skip` records. */
  #append(
    run: readonly Offer[],
    trail: TrailMemory,
    skip: number,
    edge: TrailMemory["edge"],
    folded: Folded,
    opened: TrailOpened | undefined,
  ): void {
    const last = run.at(-1)!;
    const { header } = last;
    const from = run[0]!.header.from + skip;
    let append = this.appends.get(header.trail);
    if (!append) {
      const none = {
        parts: [],
        lookedInto: [],
        leaves: [],
        tiles: [],
        bundles: [],
        checkpoint: "",
        count: 0,
        newestMs: 0,
      };
      append = { trail: copyOf(trail), before: trail.edge.size, ...none, session: header.session, opened };
      this.appends.set(header.trail, append);
      if (opened) this.#openedNow.set(last.workstation, append);
    }
    const leaves = run.flatMap((each) => each.leaves).slice(skip);
    const { tiles, bundles } = growTiles(
      append.trail,
      leaves,
      run.flatMap((each) => each.entries).slice(skip),
      folded.next,
    );
    append.tiles.push(...tiles);
    append.bundles.push(...bundles);
    append.parts.push(...partsAfter(run, skip));
    for (const each of run) append.lookedInto.push(...each.lookedInto.filter(({ index }) => index >= from));
    append.count += leaves.length;
    append.newestMs = last.newestMs;
    append.leaves = append.leaves.concat(leaves);
    append.trail.edge = edge;
    append.checkpoint = header.checkpoint;
    append.session = header.session;
    this.#answer(last, "new");
  }

  #answer({ workstation, header }: Offer, answer: Answer["answer"], reason?: string): void {
    this.answers.push({ workstation, trail: header.trail, answer, ...(reason && { reason }) });
  }

  #refuse(run: readonly Offer[], code: Refused["code"], reason: string): void {
    for (const { workstation, topic, bytes } of run) this.refused.push({ code, workstation, topic, reason, bytes });
    if (code !== "unknown") this.#answer(run.at(-1)!, code === "fork" ? "fork" : "refused", reason);
  }
}

function partsAfter(run: readonly Offer[], skip: number): Part[] {
  let left = skip;
  return run.flatMap(({ rows, header }) => {
    const part = { rows, skip: Math.min(left, header.count) };
    left -= part.skip;
    return part.skip < header.count ? [part] : [];
  });
}

function openingOf({ header, lookedInto }: Offer): TrailOpened | undefined {
  const row = lookedInto[0];
  if (header.from !== 0 || row?.index !== 0 || row.kind !== "trail.opened") return undefined;
  const body = row.body as TrailOpened;
  return body.trail === header.trail ? body : undefined;
}
