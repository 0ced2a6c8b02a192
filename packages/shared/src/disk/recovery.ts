/** Which keys of a volume are recovery keys that somebody could open it with: a mark in the header proves nothing by itself,
 *  since whoever may write the header may write marks. */
import { z } from "zod";
import { KeyId, Sha256 } from "../base/ids.ts";
import type { Header } from "./header.ts";

/** Tokens that mark a slot as the recovery key's: ours, and systemd's own. */
export const RECOVERY_TOKEN = "sallyport-recovery";
const RECOVERY_TOKENS = [RECOVERY_TOKEN, "systemd-recovery"];

/** `escrowed`: what was sealed is on the trail, and the slot's key is still the one it was sealed for. `waiting`: it is
 *  sealed, and not on the trail yet. `changed`: another key is in the slot by now. `unknown`: nothing here says what key
 *  it is; `older`: an older agent marked it, and `to` and `sealed` are of what it sealed for that slot. */
export const RecoveryKey = z.object({
  slot: z.int().min(0).max(31),
  is: z.enum(["escrowed", "waiting", "changed", "unknown"]),
  to: KeyId.optional(),
  sealed: Sha256.optional(),
  older: z.literal(true).optional(),
});
export type RecoveryKey = z.infer<typeof RecoveryKey>;

/** What was sealed and lies in dom0. `where`, by its digest: nothing where it is nowhere here. `keptFor`: of this volume's
 *  slot, whatever is in that slot by now. */
export type Escrow = {
  where: (sealed: Sha256) => "on-trail" | "here" | undefined;
  keptFor: (volume: string, slot: number) => { to: KeyId; sealed: Sha256 } | undefined;
};

export function recoveryKeys(
  volume: string,
  { tokens, slots }: Pick<Header, "tokens" | "slots">,
  escrow: Escrow,
): RecoveryKey[] {
  return tokens
    .filter(({ type }) => RECOVERY_TOKENS.includes(type))
    .flatMap(({ type, mark, slots: marked }) =>
      slots
        .filter(({ slot }) => marked.includes(slot))
        .map(({ slot, id }): RecoveryKey => {
          const kept = mark || type !== RECOVERY_TOKEN ? undefined : escrow.keptFor(volume, slot);
          if (!mark) return { slot, is: "unknown", ...(kept && { ...kept, older: true }) };
          const { to, sealed } = mark;
          if (mark.key !== id) return { slot, is: "changed", to, sealed };
          const where = escrow.where(sealed);
          return { slot, is: where === "on-trail" ? "escrowed" : where ? "waiting" : "unknown", to, sealed };
        }),
    );
}

/** How many keys a header has at most, each marked once. */
export const RECOVERY_KEYS_MAX = 32;
const MEND = "`sallyport-agent disk recovery` gives it one";

/** In words, why none of them is one that the organisation can open it with; nothing where one is. */
export function recoveryFault(keys: readonly RecoveryKey[], wantedTo: KeyId | undefined): string | undefined {
  const good = keys.filter((key) => key.is === "escrowed");
  if (good.some(({ to }) => wantedTo === undefined || to === wantedTo)) return undefined;
  if (good[0]) return `its recovery key is sealed to key ${good[0].to}; wanted is ${wantedTo}: ${MEND}`;
  const [first] = keys;
  switch (first?.is) {
    case undefined:
      return `none of its keys is a recovery key: ${MEND}`;
    case "waiting":
      return `its recovery key ${first.slot} is sealed and not on the trail yet`;
    case "changed":
      return `another key is in slot ${first.slot} than the recovery key that was sealed for it: ${MEND}`;
    default:
      if (first?.older)
        return `recovery key ${first.slot} was marked by an older agent, and whether it is the one that was sealed cannot be told: ${MEND} that can`;
      return `key ${first?.slot} is called a recovery key, and nothing of it is sealed here: ${MEND}`;
  }
}
