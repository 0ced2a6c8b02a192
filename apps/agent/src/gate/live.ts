/** USB ports → passages → guest. A loop looks at the ports and takes each device through `step`: what is to happen is on
 *  disk, with its records, before it happens; a device that nobody let pass is held. A source like any other: its
 *  position is the journal of all passages, moved in the transaction of their records, so kill -9 loses and doubles
 *  nothing. What only takes away waits for no room (drive.ts). A message only wakes the loop. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { isPinned, type UsbPin } from "@sallyport/shared/usb/device.ts";
import type { Plugged } from "../dom0/usb.ts";
import type { Outlet, Source } from "../sources/source.ts";
import { PAST_POSITION, rulePast } from "./circumstances.ts";
import { begin } from "./drive.ts";
import { journalled, POSITION } from "./journal.ts";
import { keepApart, keeping } from "./keep.ts";
import type { GateState } from "./passage-state.ts";
import * as words from "./passage-words.ts";
import { reconsiderer } from "./reconsider.ts";
import { recover } from "./recover.ts";
import { rescanning } from "./rescan.ts";
import {
  type Gate,
  holdOwn,
  keyOf,
  type LiveParts,
  type Passage,
  send,
  UNWRITTEN_MAX,
  unawaited,
} from "./under-way.ts";

export type { LiveParts } from "./under-way.ts";
export { POSITION };

const SHOWN_MS = 2_000;

export function liveGate(parts: LiveParts): Source {
  return {
    name: "usb",
    run: (outlet, signal) => runGate(parts, outlet, signal),
  };
}

async function runGate(parts: LiveParts, outlet: Outlet, signal: AbortSignal): Promise<void> {
  const passages = new Map<string, Passage>();
  let shown = Number.NEGATIVE_INFINITY;
  let fault: unknown;
  const gate: Gate = {
    parts,
    outlet,
    passages,
    away: new Map(),
    chosen: Promise.resolve(),
    past: rulePast(parts.rules().hash, outlet.position(PAST_POSITION)),
    async commit(records, passage) {
      if (passage) passage.noted = passage.state;
      const value = [...passages.values()].flatMap(journalled) as unknown as Json;
      gate.unwritten += 1;
      try {
        await outlet.emit({ observations: records, position: { name: POSITION, value } });
      } finally {
        gate.unwritten -= 1;
      }
    },
    unwritten: 0,
    over: new AbortController(),
    show(now) {
      if (parts.now() - shown <= SHOWN_MS) return;
      shown = parts.now();
      outlet.state({ state: "running", at: now.slice(0, 200) });
    },
    fault(error) {
      fault ??= error;
    },
  };
  const { over } = gate;
  const say = sayer(gate);
  const holdControllers = controllers(gate, say);
  const look = looker(gate, say);
  const reconsider = reconsiderer(gate);

  signal.addEventListener("abort", () => over.abort(), { once: true });
  if (signal.aborted) return;
  const count = await holdControllers(true);
  // an earlier life may have ended in the moment that shuts them
  for (const { name } of await parts.ports.controllers()) await parts.ports.openLater(name);
  if (count === 0) {
    outlet.state({ state: "absent", reason: "dom0 has no USB controller, so there is nothing to gate" });
    // one may be handed to dom0 later
    for await (const _event of parts.events(signal)) if ((await parts.ports.controllers()).length > 0) return;
    return;
  }
  let beside: Promise<void>[] = [];
  try {
    const plugged = await parts.ports.plugged();
    await recover(gate, plugged);
    for (const at of plugged) {
      const known = passages.get(keyOf(at));
      if (!at.authorised || (known && mayBeAuthorised(known.state, parts.rules().pins))) continue;
      const read = await parts.ports.read(at.port);
      if (!(read?.ok && isPinned(read.value, parts.rules().pins))) await parts.ports.authorise(at.port, false);
    }
    beside = [rescanning(gate).catch(gate.fault), keeping(gate).catch(gate.fault)];
    for await (const _event of parts.events(signal)) {
      if (fault) throw fault;
      await holdControllers(false);
      await look();
      reconsider();
      if (parts.now() - shown > SHOWN_MS)
        outlet.state({ state: "running", at: `${count} controllers held, ${passages.size} devices` });
    }
  } finally {
    // what the guest has stays with it, and what always passes; whatever else was under way is held, and taken up by the
    // journal
    over.abort();
    for (const passage of passages.values()) {
      passage.stop.abort();
      passage.wake();
      const { step, device } = passage.state;
      if (step === "attached" || isPinned(device, parts.rules().pins)) continue;
      await holdOwn(parts.ports, device).catch(() => false);
    }
    await Promise.all([...beside, ...[...passages.values()].map(({ done }) => done)]);
    await parts.ports.close();
    await parts.volume.close();
  }
}

type Say = (about: string, records: readonly Observation[]) => void;

/** The loop waits for no room: it is what takes away. What repeats itself until there is room is said once. */
function sayer(gate: Gate): Say {
  const waiting = new Set<string>();
  return (about, records) => {
    if (waiting.has(about)) return;
    waiting.add(about);
    unawaited(
      gate,
      gate.commit(records).finally(() => waiting.delete(about)),
    );
  };
}

function controllers({ parts }: Gate, say: Say): (first: boolean) => Promise<number> {
  let opened = new Set<string>();
  return async (first) => {
    await parts.ports.holdLater();
    const found = await parts.ports.controllers();
    const open = found.filter(({ authorizedDefault }) => authorizedDefault !== "0");
    for (const { name } of open) await parts.ports.holdNew(name);
    // said once for each time, also where it does not go back
    const news = first ? [] : open.filter(({ name }) => !opened.has(name));
    opened = new Set(first ? [] : open.map(({ name }) => name));
    for (const { name, authorizedDefault } of news)
      say(`controller ${name}`, [words.flipped(name, authorizedDefault, parts.now())]);
    return found.length;
  };
}

/** What is plugged in against what is known: who came, who went, and who was let in by another. */
function looker(gate: Gate, say: Say): () => Promise<void> {
  const { parts, passages } = gate;
  const unreadable = new Set<string>();
  /** Held without a passage, since too much waits for room already; and how many of those have gone untold. */
  const passedOver = new Set<string>();
  let untold = 0;

  async function meet(at: Plugged): Promise<void> {
    const key = keyOf(at);
    const passage = passages.get(key);
    if (passage) {
      if (at.authorised) await holdAgain(passage, at);
      if (at.authorised) await keepApart(gate, passage, at);
      return;
    }
    if (unreadable.has(key) || gate.away.has(key)) {
      if (at.authorised) await parts.ports.authorise(at.port, false);
      return;
    }
    const read = await parts.ports.read(at.port);
    if (read === undefined) return;
    if (gate.unwritten >= UNWRITTEN_MAX) {
      if (!passedOver.has(key)) parts.log.warn({ port: at.port }, "usb.passed-over");
      passedOver.add(key);
      const isLeft = read.ok && keyOf(read.value) === key && isPinned(read.value, parts.rules().pins);
      if (at.authorised && !isLeft) await parts.ports.authorise(at.port, false);
      return;
    }
    passedOver.delete(key);
    if (read.ok && keyOf(read.value) !== key) return; // another one by now: the next look meets it
    if (read.ok) return begin(gate, key, read.value);
    unreadable.add(key);
    await parts.ports.authorise(at.port, false);
    say(key, [words.unreadable(at.port, key, read.error, parts.now())]);
  }

  /** Somebody else has let it in, also while it waits for room. Looked at twice, since a passage may have moved on between
   *  the look and now. */
  async function holdAgain(passage: Passage, at: Plugged): Promise<void> {
    const { state } = passage;
    if (!passage.idle || mayBeAuthorised(state, parts.rules().pins)) return;
    const again = (await parts.ports.plugged()).find((each) => keyOf(each) === keyOf(at));
    if (!again?.authorised || !passage.idle || passage.state !== state) return;
    await parts.ports.authorise(at.port, false);
    const reason = "somebody else let it in; it is held again";
    say(passage.key, [words.refused(state.device, stepOf(state), reason, parts.now())]);
  }

  return async () => {
    const plugged = await parts.ports.plugged();
    const keys = new Set(plugged.map(keyOf));
    for (const passage of passages.values()) {
      if (keys.has(passage.key) || passage.stop.signal.aborted) continue;
      passage.stop.abort();
      send(passage, { event: "pulled" }, true);
    }
    for (const known of [unreadable, gate.away]) for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    for (const key of passedOver) if (!keys.has(key) && passedOver.delete(key)) untold += 1;
    if (untold > 0 && gate.unwritten < UNWRITTEN_MAX) {
      unawaited(gate, gate.commit([words.passedOver(untold, parts.now())]));
      untold = 0;
    }
    for (const at of plugged) await meet(at);
  };
}

const stepOf = (state: GateState) => (state.step === "refused" ? state.at : state.step);

/** Where nothing of it is under way: the guest or dom0 has the device itself, or it always passes and is on its way. */
function mayBeAuthorised(state: GateState, pins: readonly UsbPin[]): boolean {
  if (state.step === "attached") return state.mode === "device" || state.mode === "dom0";
  return ON_THE_WAY.has(state.step) && isPinned(state.device, pins);
}
const ON_THE_WAY: ReadonlySet<GateState["step"]> = new Set(["seen", "held", "classified"]);
