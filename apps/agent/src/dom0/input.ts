/** A file that a person named, or standard input, in chunks. */
import { createReadStream } from "node:fs";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { DoorError } from "./dom0.ts";

export type ReadInput = (file: string) => AsyncIterable<Uint8Array>;

/** `-` is standard input. @throws DoorError where it cannot be read */
export const readInput: ReadInput = async function* (file) {
  if (file === "") throw new DoorError("The file's name is empty: name a file, or - for standard input.");
  try {
    yield* (file === "-" ? process.stdin : createReadStream(file)) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new DoorError(`${file} cannot be read: ${whyNot(error)}.`, { cause: error });
  }
};
