/** What a group is called: also the name of its file in a repository. */
import { z } from "zod";
import { Name } from "../base/name.ts";

export const GroupName = Name(64).pipe(
  z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u, "a name of letters, digits, spaces and . _ -, at most 64"),
);

/** Names that the console takes for one (index group_name_alike). */
export const alike = (name: string): string => name.normalize("NFKC").toLowerCase();
