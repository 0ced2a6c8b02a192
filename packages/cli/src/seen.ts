/** What an approver signed before, beside the key: the policy and the signers of each group as this person last knew them,
 *  so that what is compared does not hang on the console's word alone. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { GroupId } from "@sallyport/shared/base/ids.ts";
import { SignedStatement, Signers } from "@sallyport/shared/policy/statement.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";

/** `name`: what the console called it then. */
const Group = z.object({
  name: z.string().optional(),
  policy: SignedStatement.optional(),
  signers: Signers.optional(),
  at: z.iso.datetime(),
});
export const Seen = z.object({ groups: z.partialRecord(GroupId, Group) });
export type Seen = z.infer<typeof Seen>;

export const seenPath = (key: string): string => `${key}.seen.json`;

/** @throws Fault where it is there and cannot be read: a damaged memory is not an empty one */
export function readSeen(key: string): Seen {
  const path = seenPath(key);
  if (!existsSync(path)) return { groups: {} };
  try {
    return Seen.parse(JSON.parse(readArgumentFile(path)));
  } catch (cause) {
    throw new Fault(`${path} is damaged: it held what you signed before. Move it away to go on without it.`, 1, {
      cause,
    });
  }
}

export function writeSeen(key: string, seen: Seen): void {
  const path = seenPath(key);
  writeFileSync(`${path}.new`, `${JSON.stringify(seen)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
