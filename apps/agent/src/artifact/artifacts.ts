/** policy names a sha256 → enrol/ fetches → dom0/ keeps. An artifact is here when its bytes have that sum, whoever brought
 *  them. A fetch goes on in the background, so that no section waits for another's: who asks in the meantime is told so. */
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { NotYet } from "../appliers/applier.ts";
import type { Log } from "../dom0/log.ts";
import { pause } from "../pace.ts";

/** Where a fetch began, how long the whole is, and its bytes from there. @throws ArtifactError */
export type FetchArtifact = (sha256: Sha256, from: number, signal: AbortSignal) => Promise<Fetching>;
export type Fetching = { from: number; total: number; chunks: AsyncIterable<Uint8Array> };

export type ArtifactStore = {
  /** Its path, if its bytes have that sum. */
  find(sha256: Sha256): Promise<string | undefined>;
  /** What an earlier fetch left of it, to go on from. */
  begin(sha256: Sha256): Promise<ArtifactPart>;
  freeBytes(): Promise<number>;
  /** Takes away the oldest of those that are not wanted, until all others together have at most so many bytes. */
  prune(wanted: ReadonlySet<string>, bytesMax: number): Promise<void>;
};
export type ArtifactPart = {
  /** So many are there. */
  readonly bytes: number;
  /** @throws ArtifactError where the disk takes nothing */
  add(chunk: Uint8Array): Promise<void>;
  /** Its path where it has the sum; else it is gone, and the sum it had is answered. */
  finish(): Promise<{ path: string } | { sum: string }>;
  /** What is there stays, for the next fetch. */
  close(): Promise<void>;
  drop(): Promise<void>;
};

/** Why an artifact is not here, for people. */
export class ArtifactError extends Error {
  override name = "ArtifactError";
}

/** What an earlier fetch left is no beginning of it. */
export class RangeRefused extends ArtifactError {
  override name = "RangeRefused";
}

export type ArtifactNeeds = {
  store: ArtifactStore;
  fetch: FetchArtifact;
  /** Something came, or failed, while nobody waited. */
  changed: () => void;
  monotonic: () => number;
  log: Log;
  signal: AbortSignal;
  waitMs?: number;
  retryMs?: number;
};

/** A section waits so long for its own artifact, and holds up the others for no longer. */
const WAIT_MS = 10_000;
/** A console that has just failed is not asked by every look. */
const RETRY_MS = 30_000;
const FETCH_MS_MAX = 3_600_000;
/** The spool's and the system's: rules and definitions never take the last of the disk. */
const FREE_BYTES_MIN = 256 * 1024 * 1024;
/** Of earlier policies, so that going back fetches nothing. */
const KEPT_BYTES_MAX = 1024 ** 3;

type Outcome = { path: string } | { error: string };

export type Artifacts = {
  /** Its path. `what` begins a sentence, as in "The rule set". @throws NotYet while it is fetched, ArtifactError */
  get(sha256: Sha256, what: string, bytesMax: number): Promise<string>;
  /** What a section's policy names by now; the rest may go when there is no room. */
  retain(owner: string, wanted: readonly Sha256[]): void;
};

export function artifacts(needs: ArtifactNeeds): Artifacts {
  const { store, fetch, changed, monotonic, log, signal, waitMs = WAIT_MS, retryMs = RETRY_MS } = needs;
  const underWay = new Map<string, Promise<Outcome>>();
  const failed = new Map<string, { error: string; at: number }>();
  const retained = new Map<string, readonly Sha256[]>();

  async function bring(sha256: Sha256, bytesMax: number): Promise<Outcome> {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS_MAX)]);
    const part = await store.begin(sha256);
    try {
      const { from, total, chunks } = await fetch(sha256, part.bytes, bound).catch(async (error: unknown) => {
        if (error instanceof RangeRefused) await part.drop();
        throw error;
      });
      if (total > bytesMax) {
        await part.drop();
        throw new ArtifactError(`the console says that it has ${total} bytes; at most ${bytesMax} are taken`);
      }
      if (from !== part.bytes) {
        await part.drop();
        throw new ArtifactError(
          "the console does not go on from where the last fetch broke off; the next one begins anew",
        );
      }
      const free = await store.freeBytes();
      if (total - from > free - FREE_BYTES_MIN) {
        await part.drop();
        throw new ArtifactError(
          `dom0's disk has no room for it: ${total} bytes are to come, ${free} are free, and ${FREE_BYTES_MIN} of them stay`,
        );
      }
      for await (const chunk of chunks) {
        if (part.bytes + chunk.length > total) {
          await part.drop();
          throw new ArtifactError(`the console sends more than the ${total} bytes that it announced`);
        }
        await part.add(chunk);
      }
      if (part.bytes < total)
        throw new ArtifactError(
          `the fetch broke off after ${part.bytes} of ${total} bytes; the next one goes on from there`,
        );
      const done = await part.finish();
      if ("sum" in done)
        throw new ArtifactError(
          `what the console sent under this name has another sum, ${done.sum}, and was thrown away`,
        );
      log.info({ sha256, bytes: total }, "artifact.fetched");
      await store.prune(new Set([...[...retained.values()].flat(), sha256]), KEPT_BYTES_MAX);
      return done;
    } finally {
      await part.close();
    }
  }

  function begin(sha256: Sha256, bytesMax: number): Promise<Outcome> {
    const before = underWay.get(sha256);
    if (before) return before;
    const task = bring(sha256, bytesMax)
      .catch((error: unknown): Outcome => {
        const why = (error as Error).message;
        failed.set(sha256, { error: why, at: monotonic() });
        log.error({ sha256, error: why }, "artifact.not-fetched");
        return { error: why };
      })
      .finally(() => underWay.delete(sha256));
    underWay.set(sha256, task);
    return task;
  }

  return {
    async get(sha256, what, bytesMax) {
      const named = `${what} ${sha256.slice(0, 12)}`;
      const path = await store.find(sha256);
      if (path !== undefined) return path;
      const last = failed.get(sha256);
      if (last && !underWay.has(sha256)) {
        if (monotonic() - last.at < retryMs) throw notFetched(named, last.error);
        failed.delete(sha256);
      }
      const task = begin(sha256, bytesMax);
      const ended = new AbortController();
      const outcome = await Promise.race([
        task,
        pause(waitMs, AbortSignal.any([signal, ended.signal])).then(() => undefined),
      ]).finally(() => ended.abort());
      if (outcome === undefined) {
        void task.then(changed);
        throw new NotYet(`${named} is being fetched from the console; what was in force before stays until then.`);
      }
      if ("error" in outcome) throw notFetched(named, outcome.error);
      return outcome.path;
    },
    retain: (owner, wanted) => void retained.set(owner, wanted),
  };
}

const notFetched = (named: string, why: string): ArtifactError =>
  new ArtifactError(`${named} could not be fetched, and what was in force before stays: ${why}.`);
