/** What a person may call a workstation, and the free marks it bears. */
import { z } from "zod";

export const LABELS_MAX = 16;
export const Label = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,31}$/, "a label is 1 to 32 of a-z 0-9 . _ : -");

export const WorkstationName = z
  .string()
  .trim()
  .min(1, "a name")
  .max(64, "a name of at most 64 characters")
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._:()-]*$/u, "a name of letters, digits, spaces and . _ : ( ) -");

/** "canary floor:3" as typed → labels, each once. */
export const readLabels = (typed: string): string[] => [...new Set(typed.split(/[\s,]+/).filter(Boolean))];
