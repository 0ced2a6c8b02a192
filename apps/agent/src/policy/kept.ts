/** What a workstation believes: statements it took, the highest order of each, and the latest moment it knows of. One
 *  file and its copy beside the spool, so that a damaged spool never loosens a policy. Synced before it is acted on. */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Sha256 } from "@sallyport/shared/base/ids.ts";
import { KeyText } from "@sallyport/shared/base/key.ts";
import { SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { z } from "zod";
import { replaceFile } from "../enrol/folder.ts";

/** More at once than any workstation needs; one more is refused until one ends. */
export const EXCEPTIONS_MAX = 64;
/** Exceptions end within a week, and what ended needs no revoking; beyond this what ends first gives way. */
export const REVOKED_KEPT_MAX = 256;

export const Kept = z.object({
  /** The newest statement taken, by order key (`policy/group/…`). */
  statements: z.record(z.string(), z.object({ signed: SignedStatement, taken: z.iso.datetime() })),
  orders: z.record(z.string(), z.int().min(0)),
  /** Exceptions stand beside each other until each ends; `statements` holds only the newest of a key. */
  exceptions: z
    .array(z.object({ signed: SignedStatement, taken: z.iso.datetime() }))
    .max(EXCEPTIONS_MAX)
    .optional(),
  /** Exceptions that hold no more, by digest, until they would have ended. */
  revoked: z
    .array(z.object({ exception: Sha256, until: z.iso.datetime() }))
    .max(REVOKED_KEPT_MAX)
    .optional(),
  /** The order key of the policy in force: what stays while a new group has none. */
  inForce: z.string().optional(),
  /** Milliseconds; the latest moment that has come for certain, and the console's word beyond it (moments.ts). */
  floor: z.number().min(0),
  heard: z.number().min(0).optional(),
  consoleKeys: z.array(KeyText).max(16),
  cas: z.array(z.string()).max(8),
});
export type Kept = z.infer<typeof Kept>;

export const EMPTY_KEPT: Kept = { statements: {}, orders: {}, floor: 0, consoleKeys: [], cas: [] };

/** What an earlier enrolment leaves to the next: not the keys that its console named, nor what these let pass. Orders and
 *  policy stay, so that nothing loosens meanwhile. */
export const forNextEnrolment = ({ exceptions, revoked, ...kept }: Kept): Kept => ({
  ...kept,
  consoleKeys: [],
  cas: [],
});

export const keptPath = (state: string): string => join(state, "policy.json");
/** The same again, written first: a damaged file has a whole one beside it. */
export const copyPath = (state: string): string => `${keptPath(state)}.copy`;

export type Damage = { why: string; bytes: Uint8Array };
/** `damage` where the file is not what was written; `kept` is then the copy's, or nothing. `isWritten`: the file is
 *  there and whole; `isCopied`: and so is its copy. */
export type Found = { kept: Kept; copy: Kept | undefined; damage?: Damage; isWritten: boolean; isCopied: boolean };

/** Changes nothing on disk: `status` asks beside a running agent. */
export function findKept(state: string): Found {
  const copy = readFile(copyPath(state));
  const found = readFile(keptPath(state));
  if (found?.kept) {
    const isCopied = copy?.kept !== undefined && JSON.stringify(copy.kept) === JSON.stringify(found.kept);
    return { kept: found.kept, copy: copy?.kept, isWritten: true, isCopied };
  }
  const left = { kept: copy?.kept ?? EMPTY_KEPT, copy: copy?.kept, isWritten: false, isCopied: false };
  if (found) return { ...left, damage: { why: found.why, bytes: found.bytes } };
  return copy ? { ...left, damage: { why: "the file is gone", bytes: new Uint8Array() } } : left;
}

type Read = { kept: Kept } | { kept: undefined; why: string; bytes: Uint8Array };

function readFile(path: string): Read | undefined {
  if (!existsSync(path)) return undefined;
  let bytes = new Uint8Array();
  try {
    bytes = new Uint8Array(readFileSync(path));
    return { kept: Kept.parse(JSON.parse(new TextDecoder().decode(bytes))) };
  } catch (error) {
    return { kept: undefined, why: (error as Error).message, bytes };
  }
}

/** Where the damaged file lies now, for people. */
export function putAside(state: string, now: number): string {
  const aside = `${keptPath(state)}.${now}.damaged`;
  if (existsSync(keptPath(state))) renameSync(keptPath(state), aside);
  return aside;
}

export function writeKept(state: string, kept: Kept): void {
  const text = `${JSON.stringify(kept)}\n`;
  replaceFile(copyPath(state), text);
  replaceFile(keptPath(state), text);
}
