/** A file that a person named, or standard input, in chunks. */
import { createReadStream } from "node:fs";
import { DoorError } from "./dom0.ts";

export type ReadInput = (file: string) => AsyncIterable<Uint8Array>;

/** `-` is standard input. @throws DoorError where it cannot be read */
export const readInput: ReadInput = async function* (file) {
  try {
    yield* (file === "-" ? process.stdin : createReadStream(file)) as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = { ENOENT: "there is no such file", EACCES: "this user may not read it", EISDIR: "it is a folder" }[
      code ?? ""
    ];
    throw new DoorError(`cannot read ${file}: ${why ?? message}`, { cause: error });
  }
};
