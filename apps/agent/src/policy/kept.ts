/** What a workstation believes: statements it took, the highest order of each, and the latest moment it knows of. One
 *  file beside the spool, so that a damaged spool never loosens a policy. Synced before it is acted on. */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { z } from "zod";
import { replaceFile } from "../enrol/folder.ts";

export const Kept = z.object({
  /** The newest statement taken, by order key (`policy/group/…`). */
  statements: z.record(z.string(), z.object({ signed: SignedStatement, taken: z.iso.datetime() })),
  orders: z.record(z.string(), z.int().min(0)),
  /** The order key of the policy in force: what stays while a new group has none. */
  inForce: z.string().optional(),
  /** Milliseconds; signed console time, the latest seen. */
  floor: z.number().min(0),
  consoleKeys: z.array(z.base64().length(44)).max(16),
  cas: z.array(z.string()).max(8),
});
export type Kept = z.infer<typeof Kept>;

export const EMPTY_KEPT: Kept = { statements: {}, orders: {}, floor: 0, consoleKeys: [], cas: [] };

export const keptPath = (state: string): string => join(state, "policy.json");

/** A file that cannot be read is put aside and told; what it held comes again from the console. */
export function readKept(state: string, onDamage: (why: string) => void): Kept {
  const path = keptPath(state);
  if (!existsSync(path)) return EMPTY_KEPT;
  try {
    return Kept.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    renameSync(path, `${path}.${Date.now()}.damaged`);
    onDamage((error as Error).message);
    return EMPTY_KEPT;
  }
}

export const writeKept = (state: string, kept: Kept): void => replaceFile(keptPath(state), `${JSON.stringify(kept)}\n`);
