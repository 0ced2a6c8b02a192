/** USB ports → passages → guest. A loop looks at the ports and takes each device through `step`: what is to happen is on
 *  disk, with its records, before it happens; a device that nobody let pass is held. A source like any other: its
 *  position is the journal of all passages, moved in the transaction of their records, so kill -9 loses and doubles
 *  nothing. A message only wakes the loop. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { GateStep } from "@sallyport/shared/record/usb.ts";
import { isPinned, isSamePlugging, stickId, type UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Log } from "../dom0/log.ts";
import type { Plugged } from "../dom0/usb.ts";
import { pause } from "../pace.ts";
import type { Outlet, Source } from "../sources/source.ts";
import { SpoolClosed } from "../spool/intake.ts";
import { type ActParts, perform } from "./acts.ts";
import { Journal, journalled, POSITION } from "./journal.ts";
import { appeared, deniedHere, type GateEvent, type GateState, type Next, type Rules, step } from "./passage.ts";
import * as words from "./passage-words.ts";
import type { Rebuilt } from "./rebuild.ts";

export type LiveParts = Omit<ActParts, "tell" | "rules"> & {
  rules: () => Rules;
  /** Those that were believed and have not ended. */
  exceptions: () => readonly Exception[];
  /** The latest moment that has come for certain, in milliseconds. */
  floor: () => number;
  /** Wakes the loop, at the latest each second or so. */
  events: (signal: AbortSignal) => AsyncIterable<void>;
  log: Log;
  /** For tests: after a step is on disk and before it is acted on. */
  reached?: (state: GateState) => Promise<void>;
};

export { POSITION };

const SHOWN_MS = 2_000;
/** A guest that does not let go of a stick that has gone is asked again this often. */
const UNDO_MS = 5_000;

/** What a device owes: files of its own on the volume, and handles that the guest may have. */
export type Debts = { handles: string[]; files: string[] };
export type Passage = {
  key: string;
  state: GateState;
  debts: Debts;
  /** What was made for the guest, unit by unit. */
  gift?: Rebuilt[];
  /** Of each file on it, the first 8 bytes of its sha256; absent before a scan, and for what an earlier life of the agent
   *  attached. */
  hashes?: BigUint64Array;
  /** Aborted when the device has gone. */
  stop: AbortController;
  inbox: GateEvent[];
  wake: () => void;
  /** Nothing of it is under way; it waits for an event. */
  idle: boolean;
  done: Promise<void>;
};

const keyOf = ({ port, bus, address }: Pick<Plugged, "port" | "bus" | "address">): string =>
  `${port}#${bus}.${address}`;

export function liveGate(parts: LiveParts): Source {
  return {
    name: "usb",
    run: (outlet, signal) => runGate(parts, outlet, signal),
  };
}

async function runGate(parts: LiveParts, outlet: Outlet, signal: AbortSignal): Promise<void> {
  const passages = new Map<string, Passage>();
  const unreadable = new Set<string>();
  let shown = Number.NEGATIVE_INFINITY;
  let fault: unknown;
  /** The gate's own end: the signal, or a fault. */
  const over = new AbortController();

  /** Records and journal in one transaction; without room for them it waits, and everything waits with it. */
  const commit = async (records: readonly Observation[]): Promise<void> => {
    const value = [...passages.values()].map(journalled) as unknown as Json;
    await outlet.emit({ observations: records, position: { name: POSITION, value } });
  };
  const act = (passage: Passage) => ({
    ...parts,
    rules: parts.rules(),
    tell: async (records: readonly Observation[], now: string) => {
      if (parts.now() - shown > SHOWN_MS) {
        shown = parts.now();
        outlet.state({ state: "running", at: now.slice(0, 200) });
      }
      if (records.length > 0) await commit(records);
    },
    allowed: () => [...passages.values()].flatMap(({ state }) => (state.step === "attached" ? [state.device] : [])),
    taken: () => [...passages.values()].flatMap(({ debts }) => debts.handles),
    exceptions: parts.exceptions(),
    floor: parts.floor(),
    passage,
  });

  async function drive(passage: Passage, first: Next): Promise<void> {
    let next: Next | undefined = first;
    while (next && !over.signal.aborted) {
      passage.state = next.state;
      if (next.state.step === "scanned") passage.hashes = hashesOf(next.state.scans);
      if (next.records.length > 0 || next.acts.length > 0) await commit(next.records);
      await parts.reached?.(next.state);
      for (const each of next.acts) {
        if (over.signal.aborted) return;
        passage.inbox.push(...(await perform(each, act(passage))));
      }
      if (next.state.step === "removed") return undo(passage);
      if (next.state.step === "refused" && passage.debts.handles.length > 0) await insist(passage, next.state.at);
      next = await nextOf(passage);
    }
  }
  /** Nothing where the gate ends. */
  async function nextOf(passage: Passage): Promise<Next | undefined> {
    while (!over.signal.aborted) {
      const event = passage.inbox.shift();
      if (event !== undefined) {
        const found = step(passage.state, event, parts.rules(), parts.now());
        if (found.state !== passage.state || found.acts.length > 0) return found;
        continue;
      }
      passage.idle = true;
      await new Promise<void>((resolve) => {
        passage.wake = resolve;
      });
      passage.idle = false;
    }
    return undefined;
  }
  /** A guest that does not let go is asked again, until it does or there is another reason to stop. */
  async function takeBack(passage: Passage, isOver = () => false): Promise<void> {
    while (passage.debts.handles.length > 0 && !isOver() && !over.signal.aborted) {
      await pause(UNDO_MS, over.signal);
      for (const each of ["detach", "discard"] as const) await perform({ act: each }, act(passage));
    }
  }
  /** What was refused while the guest had it: that the guest still has it is on record, and so is the end of that. */
  async function insist(passage: Passage, at: GateStep): Promise<void> {
    const { device } = passage.state;
    const handles = passage.debts.handles.join(", ");
    await commit([
      words.refused(device, at, `the guest does not let go of ${handles}; it is asked again`, parts.now()),
    ]);
    await takeBack(passage, () => passage.inbox.some(({ event }) => event === "pulled"));
    if (passage.debts.handles.length === 0)
      await commit([words.refused(device, at, `the guest has let go of ${handles}`, parts.now())]);
  }
  /** It stays in the journal until nothing is left of it. */
  async function undo(passage: Passage): Promise<void> {
    await takeBack(passage);
    if (over.signal.aborted) return;
    passages.delete(passage.key);
    await commit([]);
  }

  function begin(key: string, device: UsbDevice): void {
    const passage: Passage = {
      key,
      state: { step: "seen", device },
      debts: { handles: [], files: [] },
      stop: new AbortController(),
      ...idle(),
    };
    enter(passage, appeared(device, parts.now()));
  }
  function enter(passage: Passage, next: Next): void {
    passages.set(passage.key, passage);
    passage.done = drive(passage, next).catch((error: unknown) => {
      if (!(error instanceof SpoolClosed)) fault ??= error;
      parts.log.error({ stick: stickId(passage.state.device), error: (error as Error).message }, "usb.ended");
    });
  }
  /** Before whatever else waits for it: nothing of a device that has gone may go on. */
  const send = (passage: Passage, event: GateEvent, first = false): void => {
    if (first) passage.inbox.unshift(event);
    else passage.inbox.push(event);
    passage.wake();
  };

  /** Takes up what an earlier life of the agent left: what the guest has and still may have stays, the rest is undone.
   *  One transaction, so that a kill in between finds it all again. */
  async function recover(plugged: readonly Plugged[]): Promise<void> {
    const records: Observation[] = [];
    const kept: Passage[] = [];
    for (const { state, debts } of Journal.parse(outlet.position(POSITION) ?? [])) {
      const { device } = state;
      if (state.step === "attached" && (await isStill(state, debts, plugged))) {
        kept.push({ key: keyOf(device), state: state as GateState, debts, stop: new AbortController(), ...idle() });
        records.push(words.kept(device, parts.now()));
        continue;
      }
      let reason = "the agent was started again; the device is held and begins anew";
      const owed: string[] = [];
      for (const handle of debts.handles) {
        try {
          await parts.attach?.detach(handle);
        } catch (error) {
          if (!(error instanceof DoorError)) throw error;
          owed.push(handle);
          reason = `the agent was started again, and the guest does not let go of ${handle}; it is asked again: ${error.message}`;
        }
      }
      const after = state.step === "removed" ? state.after : state.step === "refused" ? state.at : state.step;
      if (owed.length > 0)
        kept.push({
          key: keyOf(device),
          state: { step: "removed", device, after },
          debts: { ...debts, handles: owed },
          stop: new AbortController(),
          ...idle(),
        });
      records.push(words.removed(device, after, reason, parts.now()));
    }
    for (const passage of kept) passages.set(passage.key, passage);
    const held = new Set(kept.flatMap(({ debts }) => debts.files));
    for (const file of await parts.volume.files()) if (!held.has(file)) await parts.volume.discard(file);
    await commit(records);
    for (const passage of kept) enter(passage, { state: passage.state, acts: [], records: [] });
  }

  async function isStill(
    state: Pick<Extract<GateState, { step: "attached" }>, "device" | "mode">,
    debts: Debts,
    plugged: readonly Plugged[],
  ): Promise<boolean> {
    const at = plugged.find(({ port }) => port === state.device.port);
    const read = at && (await parts.ports.read(at.port));
    if (!read?.ok || !isSamePlugging(read.value, state.device)) return false;
    if (state.mode === "dom0") return at?.authorised ?? false;
    try {
      for (const handle of debts.handles) if (!(await parts.attach?.has(handle))) return false;
    } catch (error) {
      if (error instanceof DoorError) return false;
      throw error;
    }
    return debts.handles.length > 0;
  }

  let opened = new Set<string>();
  async function holdControllers(first: boolean): Promise<number> {
    const controllers = await parts.ports.controllers();
    const open = controllers.filter(({ authorizedDefault }) => authorizedDefault !== "0");
    for (const { name } of open) await parts.ports.holdNew(name);
    // said once for each time, also where it does not go back
    const news = first ? [] : open.filter(({ name }) => !opened.has(name));
    opened = new Set(first ? [] : open.map(({ name }) => name));
    if (news.length > 0)
      await commit(news.map(({ name, authorizedDefault }) => words.flipped(name, authorizedDefault, parts.now())));
    return controllers.length;
  }

  async function look(): Promise<void> {
    const plugged = await parts.ports.plugged();
    const keys = new Set(plugged.map(keyOf));
    for (const passage of passages.values()) {
      if (keys.has(passage.key) || passage.stop.signal.aborted) continue;
      passage.stop.abort();
      send(passage, { event: "pulled" }, true);
    }
    for (const key of unreadable) if (!keys.has(key)) unreadable.delete(key);
    for (const at of plugged) await meet(at);
  }

  async function meet(at: Plugged): Promise<void> {
    const key = keyOf(at);
    const passage = passages.get(key);
    if (passage) {
      if (at.authorised) await holdAgain(passage, at);
      return;
    }
    if (unreadable.has(key)) {
      if (at.authorised) await parts.ports.authorise(at.port, false);
      return;
    }
    const read = await parts.ports.read(at.port);
    if (read === undefined) return;
    if (read.ok && keyOf(read.value) !== key) return; // another one by now: the next look meets it
    if (read.ok) return begin(key, read.value);
    unreadable.add(key);
    await parts.ports.authorise(at.port, false);
    await commit([words.unreadable(at.port, key, read.error, parts.now())]);
  }

  /** Somebody else has let it in. Looked at twice, since a passage may have moved on between the look and now. */
  async function holdAgain(passage: Passage, at: Plugged): Promise<void> {
    const { state } = passage;
    if (!passage.idle || mayBeAuthorised(state)) return;
    const again = (await parts.ports.plugged()).find((each) => keyOf(each) === keyOf(at));
    if (!again?.authorised || !passage.idle || passage.state !== state) return;
    await parts.ports.authorise(at.port, false);
    const reason = "somebody else let it in; it is held again";
    await commit([words.refused(state.device, stepOf(state), reason, parts.now())]);
  }

  let exceptions = "";
  /** A new exception is a reason to decide again; one that has ended, here or while the agent was away, takes back. */
  function reconsider(): void {
    const known = parts.exceptions();
    const now = known.map(({ digest }) => digest).join();
    const isNew = now !== exceptions;
    exceptions = now;
    for (const passage of passages.values()) {
      const { state } = passage;
      if (isNew && state.step === "decided")
        send(passage, { event: "decide", exceptions: known, floor: parts.floor() });
      if (state.step === "attached" && state.exception && !known.some(({ digest }) => digest === state.exception))
        send(passage, { event: "failed", reason: "its exception has ended" });
    }
  }

  let denied = "";
  /** What the overlay denies now goes from the guest, and from whatever is under way. */
  function deny(): void {
    const rules = parts.rules();
    const now = rules.denied.map(({ id }) => id).join();
    if (now === denied) return;
    denied = now;
    for (const passage of passages.values()) {
      const reason = deniedHere(passage.state, holdsOf(passage), rules);
      if (reason !== undefined) send(passage, { event: "failed", reason, denied: true }, true);
    }
  }

  signal.addEventListener("abort", () => over.abort(), { once: true });
  if (signal.aborted) return;
  const count = await holdControllers(true);
  if (count === 0) {
    outlet.state({ state: "absent", reason: "dom0 has no USB controller, so there is nothing to gate" });
    // one may be handed to dom0 later
    for await (const _event of parts.events(signal)) if ((await parts.ports.controllers()).length > 0) return;
    return;
  }
  try {
    const plugged = await parts.ports.plugged();
    await recover(plugged);
    for (const at of plugged) {
      if (!at.authorised || passages.has(keyOf(at))) continue;
      const read = await parts.ports.read(at.port);
      if (!(read?.ok && isPinned(read.value, parts.rules().pins))) await parts.ports.authorise(at.port, false);
    }
    for await (const _event of parts.events(signal)) {
      if (fault) throw fault;
      await holdControllers(false);
      await look();
      reconsider();
      deny();
      if (parts.now() - shown > SHOWN_MS)
        outlet.state({ state: "running", at: `${count} controllers held, ${passages.size} devices` });
    }
  } finally {
    // what the guest has stays with it; whatever else was under way is held, and taken up by the journal
    over.abort();
    for (const passage of passages.values()) {
      passage.stop.abort();
      passage.wake();
      if (passage.state.step !== "attached")
        await parts.ports.authorise(passage.state.device.port, false).catch(() => false);
    }
    await Promise.all([...passages.values()].map(({ done }) => done));
    await parts.volume.close();
  }
}

const idle = () => ({ inbox: [], wake: () => {}, idle: false, done: Promise.resolve() });
const hashesOf = (scans: readonly ScanBody[]): BigUint64Array =>
  BigUint64Array.from(
    scans.flatMap(({ manifest }) => manifest.flatMap(({ sha256 }) => (sha256 === null ? [] : [prefixOf(sha256)]))),
  );
const prefixOf = (sha256: string): bigint => BigInt(`0x${sha256.slice(0, 16)}`);

function holdsOf({ state, hashes }: Passage): ((sha256: string) => boolean) | undefined {
  if (hashes) return (sha256) => hashes.includes(prefixOf(sha256));
  return state.step === "attached" && state.images.length > 0 ? undefined : () => false;
}

const stepOf = (state: GateState) => (state.step === "refused" ? state.at : state.step);

/** While it is read, and where the guest or dom0 has the device itself. */
function mayBeAuthorised(state: GateState): boolean {
  if (state.step === "classified" || state.step === "seen") return true;
  return state.step === "attached" && (state.mode === "device" || state.mode === "dom0");
}
