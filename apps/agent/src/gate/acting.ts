/** One act of a passage → what it is given of the gate: the host's doors, and what it shares with the other passages. */
import type { Result } from "@sallyport/shared/base/result.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { ruleFacts } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import type { Circumstances } from "@sallyport/shared/usb/rules/match.ts";
import type { GateEvent } from "./passage-state.ts";
import { notAnyMore } from "./reconsider.ts";
import { hasRoom } from "./room.ts";
import type { ActParts, Gate, Passage } from "./under-way.ts";

export type Acting = ActParts & {
  passage: Passage;
  /** What conditions of device rules are told, from now on kept with this device. */
  circumstances: () => Circumstances;
  /** Handles that are anybody's; chosen, and owed, one after another: else two that finish together choose the same. */
  taken: () => string[];
  oneByOne: (choose: () => Promise<unknown>) => Promise<void>;
  /** So much more may be written for this one, in the place of what was set aside for it before. */
  setAside: (bytes: number) => Result<void>;
  /** Why nobody may get it any more; nothing where it may be handed over now. */
  notAnyMore: () => GateEvent | undefined;
  exceptions: readonly Exception[];
  floor: number;
};

export function acting(gate: Gate, passage: Passage): Acting {
  const { parts, passages, past, commit, show } = gate;
  const all = [...passages.values()];
  return {
    ...parts,
    rules: parts.rules(),
    async tell(records: readonly Observation[], now: string) {
      show(now);
      if (records.length > 0) await commit(records);
    },
    circumstances() {
      const allowed = all.flatMap(({ state }) => (state.step === "attached" ? [ruleFacts(state.device)] : []));
      passage.moment = past.moment(Math.max(parts.now(), parts.floor()), allowed);
      return past.circumstances(passage.moment);
    },
    taken: () => [...passages.values()].flatMap(({ debts }) => debts.handles),
    oneByOne(choose) {
      const done = gate.chosen.then(async () => void (await choose()));
      gate.chosen = done.catch(() => {});
      return done;
    },
    setAside(bytes) {
      const { volume } = parts;
      const still = (each: Passage) =>
        Math.max(0, each.setAside - (each.writing === undefined ? 0 : volume.takenBytes(each.writing)));
      const others = [...passages.values()].reduce((sum, each) => sum + (each === passage ? 0 : still(each)), 0);
      const { spoolBytesMax } = gate.outlet.settings().agent;
      const room = hasRoom(bytes, { space: volume.space(), others, spoolBytesMax });
      if (room.ok) passage.setAside = bytes;
      return room;
    },
    notAnyMore: () => notAnyMore(gate, passage),
    exceptions: parts.exceptions(),
    floor: parts.floor(),
    passage,
  };
}
