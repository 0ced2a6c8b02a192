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
 *  it is. */
export const RecoveryKey = z.object({
  slot: z.int().min(0).max(31),
  is: z.enum(["escrowed", "waiting", "changed", "unknown"]),
  to: KeyId.optional(),
  sealed: Sha256.optional(),
});
export type RecoveryKey = z.infer<typeof RecoveryKey>;

/** Where what was sealed is, by its digest: nothing where it is nowhere here. */
export type Escrow = (sealed: Sha256) => "on-trail" | "here" | undefined;

export function recoveryKeys({ tokens, slots }: Pick<Header, "tokens" | "slots">, escrow: Escrow): RecoveryKey[] {
  return tokens
    .filter(({ type }) => RECOVERY_TOKENS.includes(type))
    .flatMap(({ mark, slots: marked }) =>
      slots
        .filter(({ slot }) => marked.includes(slot))
        .map(({ slot, id }): RecoveryKey => {
          if (!mark) return { slot, is: "unknown" };
          const { to, sealed } = mark;
          if (mark.key !== id) return { slot, is: "changed", to, sealed };
          const where = escrow(sealed);
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
      return `key ${first?.slot} is called a recovery key, and nothing of it is sealed here: ${MEND}`;
  }
}
