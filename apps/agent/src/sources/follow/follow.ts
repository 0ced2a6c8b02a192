/** A file that another program writes → parcels. Follows the inode: a renamed file is read to its end before the new
 *  one; one that was cut goes on in its copy where there is one (copytruncate), and else from its begin. */
import { type Dom0, DoorError, type OpenFile } from "../../dom0/dom0.ts";
import { malformed } from "../malformed.ts";
import type { Outlet } from "../source.ts";
import { Place } from "./place.ts";
import { type Decode, type Reading, reading } from "./reading.ts";
import { rotatedSiblings, youngerThan } from "./rotated.ts";

/** Writers that are not told at once of a rotation go on in the renamed file for a while. */
export const ROTATION_GRACE_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
/** Of one look; the next goes on from there. */
const FILES_MAX = 64;
/** A copy of a file that was cut has just been written: it is among the newest. */
const COPIES_MAX = 64;

/** What of the host a follower uses. */
export type FilesDoor = Pick<Dom0, "now" | "monotonic" | "facts" | "openRegular" | "list" | "watch">;

export type Follow = {
  path: string;
  /** The source's kind, for what could not be read. */
  kind: string;
  dom0: FilesDoor;
  decode: Decode;
  lineBytesMax: (outlet: Outlet) => number;
  graceMs?: number;
};

/** Until the signal aborts. @throws where the host says no, or the spool is closed */
export async function follow(options: Follow, outlet: Outlet, signal: AbortSignal): Promise<void> {
  const follower = new Follower(options, outlet, signal);
  try {
    await follower.look();
    for await (const _ of options.dom0.watch(
      options.path,
      Math.min(LOOK_EVERY_MS, options.graceMs ?? Infinity),
      signal,
    )) {
      await follower.look();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await follower.close();
  }
}

class Follower {
  #now: Reading | undefined;
  /** It is no longer at our path and nobody writes it any more. */
  #settled = false;
  #rotatedSince: number | undefined;
  #options: Follow;
  #outlet: Outlet;
  #signal: AbortSignal;

  constructor(options: Follow, outlet: Outlet, signal: AbortSignal) {
    this.#options = options;
    this.#outlet = outlet;
    this.#signal = signal;
  }

  async close(): Promise<void> {
    await this.#now?.file().close();
    this.#now = undefined;
  }

  /** Reads all there is, over as many rotations as there were. */
  async look(): Promise<void> {
    for (let files = 0; files <= FILES_MAX && !this.#signal.aborted; files++) {
      this.#now ??= await this.#begin();
      if (!this.#now) return;
      const { stop, moved } = await this.#now.drain(this.#signal);
      if (this.#signal.aborted) return;
      if (stop === "cut") await this.#wasCut(this.#now);
      else if (await this.#isOver(this.#now, moved)) await this.#toNext(this.#now);
      else return;
    }
  }

  /** Where we stood before, under whatever name that file has now; else the file at our path. */
  async #begin(): Promise<Reading | undefined> {
    const { path, dom0 } = this.#options;
    const stood = Place.safeParse(this.#outlet.position(path)).data;
    const file = await dom0.openRegular(path);
    const facts = await file?.facts();
    if (file && facts && (!stood || (facts.inode === stood.inode && facts.device === stood.device))) {
      return this.#read(file, stood ?? placeAt(facts), false);
    }
    const old = stood && (await this.#openOld(stood));
    if (old) {
      await file?.close();
      return this.#read(old, stood, true);
    }
    if (!file || !facts) {
      this.#outlet.state({ state: "absent", reason: `there is no ${path} yet` });
      return undefined;
    }
    if (stood) {
      const reason = `another file stands where this one was read to byte ${stood.offset}; what came behind that may be lost`;
      await orClose(file, this.#note(reason, placeAt(facts)));
    }
    return this.#read(file, placeAt(facts), false);
  }

  async #openOld(place: Place): Promise<OpenFile | undefined> {
    const { path, dom0 } = this.#options;
    const siblings = await rotatedSiblings(dom0, path);
    const same = siblings.find(({ facts }) => facts.inode === place.inode && facts.device === place.device);
    return same && (await dom0.openRegular(same.path));
  }

  #read(file: OpenFile, place: Place, settled: boolean): Reading {
    const { path, dom0, decode, lineBytesMax } = this.#options;
    this.#settled = settled;
    this.#rotatedSince = undefined;
    this.#outlet.state({ state: "running", at: path });
    const max = () => lineBytesMax(this.#outlet);
    return reading(file, place, { name: path, decode, lineBytesMax: max, now: dom0.now, outlet: this.#outlet });
  }

  /** Another file stands at our path, and this one has been quiet since for long enough. */
  async #isOver(now: Reading, moved: boolean): Promise<boolean> {
    const { path, dom0, graceMs = ROTATION_GRACE_MS } = this.#options;
    const facts = await dom0.facts(path);
    const { device, inode } = now.place();
    if (!facts || (facts.inode === inode && facts.device === device)) {
      this.#rotatedSince = undefined;
      return false;
    }
    if (this.#settled) return true;
    if (moved || this.#rotatedSince === undefined) this.#rotatedSince = dom0.monotonic();
    return dom0.monotonic() - this.#rotatedSince >= graceMs;
  }

  /** The oldest file that is younger than the one just read, or the one at our path. */
  async #toNext(over: Reading): Promise<void> {
    const { path, dom0 } = this.#options;
    const ended = await over.file().facts();
    const younger = youngerThan(ended, await rotatedSiblings(dom0, path));
    const next = await dom0.openRegular(younger?.path ?? path);
    const facts = await next?.facts();
    if (!next || !facts) return; // rotated once more just now: the next look finds it
    await orClose(next, over.finish(placeAt(facts)));
    await over.file().close();
    this.#now = this.#read(next, placeAt(facts), younger !== undefined);
  }

  async #wasCut(now: Reading): Promise<void> {
    const { path, dom0 } = this.#options;
    for (const { path: copyPath, facts } of (await rotatedSiblings(dom0, path)).slice(-COPIES_MAX).reverse()) {
      if (now.place().offset === 0 || facts.inode === now.place().inode) continue;
      const copy = await dom0.openRegular(copyPath);
      if (!copy) continue;
      if (await now.continues(copy)) {
        await now.file().close();
        now.moveTo(copy, facts.device, facts.inode);
        this.#settled = true;
        return;
      }
      await copy.close();
    }
    const place = placeAt(now.place());
    const reason = `the file was cut after byte ${now.place().offset}; what was written between the last look and that is lost`;
    await now.finish(place, [this.#observe(reason)]);
    this.#now = this.#read(now.file(), place, this.#settled);
  }

  async #note(reason: string, place: Place): Promise<void> {
    const position = { name: this.#options.path, value: place };
    await this.#outlet.emit({ observations: [this.#observe(reason)], position });
  }

  #observe(reason: string) {
    const { kind, path, dom0 } = this.#options;
    return malformed({ source: kind, from: path, reason, bytes: new Uint8Array() }, dom0.now());
  }
}

const placeAt = ({ device, inode }: { device: string; inode: string }): Place => ({
  device,
  inode,
  offset: 0,
  before: "",
  long: null,
});

/** A file that was opened for what then failed is not left open. */
async function orClose(file: OpenFile, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws DoorError where it is no absolute path: rotated files are looked for beside it */
export function absolute(path: string): string {
  if (!path.startsWith("/")) throw new DoorError(`${path} is no absolute path; write it from / on`);
  return path;
}
