/** wipe → the guest's volume. */
import type { Performer } from "./performer.ts";

/** Where no volume is named there is nothing to wipe, and the order fails aloud. */
export const noVolume = (): Performer<"wipe"> => ({
  note: () =>
    Promise.reject(
      new Error("No volume is named in the agent's configuration. Name it under disk.volume (docs/disk.md)."),
    ),
  perform: async () => ({ outcome: "failed", reason: "no volume is named" }),
});
