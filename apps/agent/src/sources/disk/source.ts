/** The guest's volume → disk.state, at each start and when it changes; and each sealed recovery key of it → disk.recovery,
 *  once. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { SealedRecovery } from "@sallyport/shared/disk/sealed.ts";
import { type DiskState, diskWords } from "@sallyport/shared/disk/state.ts";
import { Bell } from "../../pace.ts";
import type { Source } from "../source.ts";

export type DiskNeeds = {
  /** Of the enrolment in force: its trail is the one that is written to. */
  workstation: WorkstationId;
  look: () => Promise<DiskState>;
  /** Those that lie on this machine. */
  recoveries: () => Promise<SealedRecovery[]>;
  now: () => number;
  /** Rings when another look has found the volume changed. */
  seen?: Bell;
  everyMs?: number;
};

/** Stands when its record is on this workstation's trail: what was told as another, before it was enrolled again, counts
 *  for nothing, since the console lists and destroys a key by who told it. */
export const recoveryPosition = (workstation: WorkstationId, sealed: SealedRecovery) => ({
  name: `disk/recovery/${workstation}/${sealed.volume}/${sealed.slot}`,
  value: canonicalText(sealed),
});

const LOOK_EVERY_MS = 60_000;

export function diskSource({
  workstation,
  look,
  recoveries,
  now,
  seen = new Bell(),
  everyMs = LOOK_EVERY_MS,
}: DiskNeeds): Source {
  return {
    name: "disk",
    async run(outlet, signal) {
      outlet.state({ state: "running" });
      while (!signal.aborted) {
        for (const sealed of await recoveries()) {
          const position = recoveryPosition(workstation, sealed);
          if (outlet.position(position.name) === position.value) continue;
          const text = `The recovery key of volume ${sealed.volume} in slot ${sealed.slot}, sealed to key ${sealed.to}`;
          const observation = {
            kind: "disk.recovery",
            severity: "notice",
            time: now(),
            text,
            body: { sealed },
          } as const;
          await outlet.emit({ observations: [observation], position });
        }
        const body = await look();
        const position = { name: `disk/state/${workstation}`, value: canonicalText(body) };
        if (outlet.position(position.name) !== position.value && !signal.aborted) {
          const severity = body.content.is === "luks2" && !body.content.amiss && !body.beyond ? "info" : "warning";
          const observation = {
            kind: "disk.state",
            severity,
            time: now(),
            text: diskWords(body).toWellFormed(),
            body,
          } as const;
          await outlet.emit({ observations: [observation], position });
        }
        await seen.wait(everyMs, signal);
      }
    },
  };
}
