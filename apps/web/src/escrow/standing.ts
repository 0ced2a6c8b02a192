/** Whether a sealed recovery key still opens its volume, from what the workstation found in the header. Pure. */
import type { RecoveryKey } from "@sallyport/shared/disk/recovery.ts";
import type { Tone } from "../ui/mark.tsx";
import type { EscrowRow } from "./store.ts";

/** What was reported of the volume that is there now; nothing where none was. */
export type Found = { uuid: string; recovery?: readonly RecoveryKey[] | undefined } | undefined;
export type Standing = { tone: Tone; word: string; reason: string };

export function standingOf(
  row: Pick<EscrowRow, "volume" | "digest" | "wiped" | "destroyedAt">,
  found: Found,
): Standing {
  if (row.destroyedAt) return { tone: "info", word: "destroyed", reason: "its volume was wiped" };
  if (row.wiped) return { tone: "hold", word: "to be destroyed", reason: "its volume was wiped" };
  if (!found) return { tone: "hold", word: "not reported", reason: "no volume was reported" };
  if (found.uuid !== row.volume)
    return { tone: "info", word: "elsewhere", reason: "another volume is there by now; this one may lie in a drawer" };
  if (!found.recovery) return { tone: "hold", word: "not reported", reason: "the agent does not tell recovery keys" };
  const key = found.recovery.find(({ sealed }) => sealed === row.digest);
  if (key?.older)
    return {
      ...{ tone: "hold", word: "cannot be told" },
      reason: "an older agent marked it; sallyport-agent disk recovery puts another in its place",
    };
  switch (key?.is) {
    case undefined:
      return { tone: "info", word: "ended", reason: "its key is no longer in the volume’s header" };
    case "escrowed":
    case "waiting":
      return { tone: "allow", word: "opens it", reason: "the key in the header is the one it was sealed for" };
    default:
      return { tone: "block", word: "changed", reason: "another key is in its slot by now" };
  }
}
