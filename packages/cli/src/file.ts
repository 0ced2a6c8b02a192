/** A file a person named, as text. */
import { readFileSync } from "node:fs";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { Fault } from "./fault.ts";

/** `-` is standard input. */
export function readArgumentFile(path: string): string {
  if (path === "") throw new Fault("The file's name is empty: name a file, or - for standard input.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path === "-" ? 0 : path));
  } catch (error) {
    const isText = (error as NodeJS.ErrnoException).code !== "ERR_ENCODING_INVALID_ENCODED_DATA";
    throw new Fault(isText ? `${path} cannot be read: ${whyNot(error)}.` : `${path} is not UTF-8 text.`, 1, {
      cause: error,
    });
  }
}
