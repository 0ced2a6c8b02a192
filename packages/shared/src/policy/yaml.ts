/** YAML or JSON that a person wrote, where no place in it is asked for afterwards → its value. Pure. */
import { parse } from "yaml";
import { fail, ok, type Result } from "../base/result.ts";
import { tooDeep } from "./depth.ts";

/** No aliases; bounded in length and depth before anything recursive reads it. The error is one line, with its place. */
export function readYaml(untrusted: string, charactersMax: number): Result<unknown> {
  if (untrusted.length > charactersMax) return fail(`${untrusted.length} characters; at most ${charactersMax}`);
  const deep = tooDeep(untrusted);
  if (deep) return fail(`line ${deep.line}, column ${deep.column}: ${deep.message}`);
  try {
    return ok(parse(untrusted, { maxAliasCount: 0, logLevel: "error" }));
  } catch (error) {
    // below its first line the parser quotes what it read
    return fail((error as Error).message.split("\n", 1)[0]!.replace(/:$/, ""));
  }
}
