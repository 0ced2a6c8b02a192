/** What a follower reads stays small on disk: a file that has grown is moved aside and its writer begins a new one; what was
 *  read goes, and what came faster than it is read goes past the bound, oldest first, which is told. */
import { setTimeout as delay } from "node:timers/promises";
import { type Dom0, DoorError, type FileFacts } from "../../dom0/dom0.ts";
import type { LogFiles } from "../../dom0/log-files.ts";
import { malformed } from "../malformed.ts";
import type { Outlet, Source } from "../source.ts";
import { Place } from "./place.ts";
import { asideSuffix, rotatedSiblings } from "./rotated.ts";

/** While a file grows fast, and while none does. */
const LOOK_EVERY_MS = 500;
const LOOK_AT_REST_MS = 2_000;
/** Of the bound of one file, within one look. */
const FAST_SHARE = 1 / 32;
const TELL_AGAIN_MS = 10_000;

export type Bound = {
  name: string;
  /** The kind of the source that reads them, for what is told. */
  kind: string;
  /** The files as their writer calls them; they share the bound. */
  paths: () => Promise<readonly string[]>;
  /** Tells the writer. @throws DoorError where there is none: it begins a new file by itself when it starts */
  reopen: () => Promise<void>;
  dom0: Pick<Dom0, "now" | "monotonic" | "list" | "facts">;
  files: LogFiles;
  /** A larger one is moved aside. */
  fileBytesMax: number;
  /** Of all there are. */
  bytesMax: number;
  lookEveryMs?: number;
};

export function boundedFiles(bound: Bound): Source {
  const { name, lookEveryMs } = bound;
  return {
    name: `bound/${name}`,
    async run(outlet, signal) {
      let said = "";
      let before = 0;
      const told = { at: Number.NEGATIVE_INFINITY };
      while (!signal.aborted) {
        const { at, bytes } = await look(bound, outlet, told);
        if (at !== said) outlet.state({ state: "running", at });
        said = at;
        const isAtRest = Math.abs(bytes - before) < bound.fileBytesMax * FAST_SHARE;
        before = bytes;
        const waitMs = lookEveryMs ?? (isAtRest ? LOOK_AT_REST_MS : LOOK_EVERY_MS);
        await delay(waitMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}

/** One look; what to say of it, and how much there is of all. */
async function look(bound: Bound, outlet: Outlet, told: { at: number }): Promise<{ at: string; bytes: number }> {
  const { dom0, files, fileBytesMax, bytesMax } = bound;
  const all: Lives[] = [];
  let moved = false;
  for (const path of await bound.paths()) {
    const large = await dom0.facts(path);
    // one that its follower has not begun yet would be left behind unread
    const isBegun = inodeOf(outlet, path) !== undefined;
    if (large && large.size >= (isBegun ? fileBytesMax : bytesMax)) {
      await files.turn(path, `${path}${asideSuffix(dom0.now())}`);
      moved = true;
    }
    const current = await dom0.facts(path);
    const older = await rotatedSiblings(dom0, path);
    all.push({ path, current, older, reads: inodeOf(outlet, path) });
  }
  // a writer that did not hear it goes on in the one that was moved aside
  const isWaiting = all.some(({ current, older }) => {
    const last = older.at(-1)?.facts;
    return current && last && last.modifiedMs > current.modifiedMs;
  });
  if (moved || (isWaiting && dom0.monotonic() - told.at > TELL_AGAIN_MS)) {
    told.at = dom0.monotonic();
    await bound.reopen().catch(orAbsent);
  }
  const sizes = all.flatMap(({ current, older }) => [current?.size ?? 0, ...older.map(({ facts }) => facts.size)]);
  for (const path of read(all)) await files.remove(path);
  for (const { path, name, size } of over(all, bytesMax)) {
    await files.remove(path);
    const reason = `${size} bytes were given up before they were read: more came than is kept, which is ${bytesMax} bytes`;
    const observation = malformed({ source: bound.kind, from: name, reason, bytes: new Uint8Array() }, dom0.now());
    await outlet.emit({ observations: [observation] });
  }
  return { at: `${bound.name}, at most ${bytesMax} bytes`, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

type File = Pick<FileFacts, "inode" | "size" | "modifiedMs">;
/** `older`: the oldest first. `reads`: the inode that the follower stands in. */
export type Lives = {
  path: string;
  current: File | undefined;
  older: readonly { path: string; facts: File }[];
  reads: string | undefined;
};

/** Of the older ones, what the follower has not left behind. Where it has not begun nothing is read that we know of. */
function unread({ current, older, reads }: Lives) {
  if (current && current.inode === reads) return [];
  return older.slice(
    Math.max(
      0,
      older.findIndex(({ facts }) => facts.inode === reads),
    ),
  );
}

/** Those that the follower has left behind. */
export const read = (all: readonly Lives[]): string[] =>
  all.flatMap((lives) => lives.older.slice(0, lives.older.length - unread(lives).length).map(({ path }) => path));

/** What has to go unread: the oldest of whoever wrote most, but for the one that is being read. */
export function over(all: readonly Lives[], bytesMax: number): { path: string; name: string; size: number }[] {
  const gone: { path: string; name: string; size: number }[] = [];
  const left = all.map((lives) => {
    const kept = unread(lives);
    const bytes = kept.reduce((sum, { facts }) => sum + facts.size, lives.current?.size ?? 0);
    return { name: lives.path, bytes, mayGo: kept.filter(({ facts }) => facts.inode !== lives.reads) };
  });
  for (let total = left.reduce((sum, { bytes }) => sum + bytes, 0); total > bytesMax; ) {
    const [most] = left.filter(({ mayGo }) => mayGo.length > 0).sort((a, b) => b.bytes - a.bytes);
    const first = most?.mayGo.shift();
    if (!most || !first) break;
    gone.push({ path: first.path, name: most.name, size: first.facts.size });
    most.bytes -= first.facts.size;
    total -= first.facts.size;
  }
  return gone;
}

const inodeOf = (outlet: Outlet, path: string): string | undefined =>
  Place.safeParse(outlet.position(path)).data?.inode;

function orAbsent(error: unknown): void {
  if (!(error instanceof DoorError)) throw error;
}
