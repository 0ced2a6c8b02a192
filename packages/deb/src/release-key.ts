/** What a person calls the release key → the one key that it is: what is exported to workstations is that, and no other that
 *  the name fits as well. */
import { DebError, tool } from "./run.ts";

/** `ends`: from then on apt takes nothing that it signs; absent where it has no end. */
export type ReleaseKey = { fingerprint: string; ends?: Date };

/** Of a record of `gpg --with-colons` (GnuPG's doc/DETAILS), counted from 1 there. */
const [EXPIRES, FINGERPRINT, USES] = [6, 9, 11];

/** @param name as gpg takes it: a fingerprint, an address, a part of either
 *  @throws DebError where no secret key of gpg's is called that, or several are */
export async function releaseKey(name: string): Promise<ReleaseKey> {
  const listed = await tool("gpg", ["--batch", "--with-colons", "--list-secret-keys", name]).catch(() => {
    throw new DebError(
      `gpg has no secret key ${name}. Make one on a machine that is no console: gpg --quick-generate-key "Sallyport releases" ed25519 sign never`,
    );
  });
  const keys = keysIn(listed);
  if (keys.length > 1)
    throw new DebError(
      `${name} fits ${keys.length} secret keys of gpg's: ${keys.map(({ fingerprint }) => fingerprint).join(", ")}. Name one by its fingerprint.`,
    );
  return keys[0]!;
}

/** Each primary key, with the end of what it signs with: its own, or that of the last of its keys that may sign. */
export function keysIn(listed: string): ReleaseKey[] {
  const rows = listed.split("\n").map((line) => line.split(":"));
  const starts = rows.flatMap(([kind], at) => (kind === "sec" ? [at] : []));
  return starts.map((from, at) => {
    const own = rows.slice(from, starts[at + 1]);
    const fingerprint = own.find(([kind]) => kind === "fpr")?.[FINGERPRINT] ?? "";
    const signing = own.filter((row) => /^(?:sec|ssb)$/.test(row[0] ?? "") && row[USES]?.includes("s"));
    const ends = Math.min(endOf(own[0]!), Math.max(...signing.map(endOf)));
    return Number.isFinite(ends) ? { fingerprint, ends: new Date(ends * 1000) } : { fingerprint };
  });
}

const endOf = (row: string[]): number => Number(row[EXPIRES] || Number.POSITIVE_INFINITY);

/** What whoever builds with it must know of its end. @throws DebError where it has ended */
export function endInWords({ fingerprint, ends }: ReleaseKey, now: Date): string | undefined {
  if (!ends) return undefined;
  const day = ends.toISOString().slice(0, 10);
  const last = `gpg --quick-set-expire ${fingerprint} never`;
  if (ends <= now)
    throw new DebError(
      `The release key ended on ${day}: workstations take nothing that it signs. Give it no end (${last}) and bring this package to each of them by hand.`,
    );
  return `The release key ends on ${day}. From then on workstations take no upgrade, and so no later end of it either. Give it none (${last}), build again with a later --version, and upgrade them all before that day.`;
}
