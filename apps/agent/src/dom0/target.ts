/** What a person named to be scanned: an image, a device or a folder that this user may read. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { DoorError } from "./dom0.ts";

/** @throws DoorError with what is wrong, where, and what to do */
export async function checkTarget(target: string): Promise<void> {
  if (target === "") throw new DoorError("The name is empty: name an image file, a device or a folder.");
  try {
    const facts = await stat(target);
    if (!facts.isFile() && !facts.isDirectory() && !facts.isBlockDevice())
      throw new DoorError(`${target} is neither a file, a device with blocks nor a folder: it cannot be scanned.`);
    await access(target, facts.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
  } catch (error) {
    if (error instanceof DoorError) throw error;
    throw new DoorError(
      `${target} cannot be scanned: ${whyNot(error)}. Name an image, a device or a folder that this user may read.`,
      { cause: error },
    );
  }
}
