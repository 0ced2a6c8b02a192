/** What a person may call a workstation, and the free marks it bears. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { Name, readName } from "@sallyport/shared/base/name.ts";
import { z } from "zod";

export const LABELS_MAX = 16;
export const Label = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,31}$/, "a label is 1 to 32 of a-z 0-9 . _ : -");

export const WorkstationName = Name(64).pipe(
  z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._:()-]*$/u, "a name of letters, digits, spaces and . _ : ( ) -"),
);

/** "canary floor:3" as typed → labels, each once. */
export const readLabels = (typed: string): string[] => [...new Set(typed.split(/[\s,]+/).filter(Boolean))];

const HOSTNAME_CHARS_MAX = 253;

/** What a machine that has just enrolled is called until a person names it. Its hostname is a claim: what a person may not
 *  type is escaped, and the machine is not refused for it. */
export function nameOfHost(hostname: string): string {
  const read = readName(hostname);
  return (read.ok && read.value) || escapeForDisplay(hostname).slice(0, HOSTNAME_CHARS_MAX);
}
