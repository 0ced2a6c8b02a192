/** What always passes the USB gate, in a file of the state folder that a shell can read: the package's unit holds USB by it
 *  before the agent runs (packages/deb/debian/usb-hold). Where it is absent nothing is held. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { UsbPin } from "@sallyport/shared/usb/device.ts";
import { replaceFile } from "../enrol/folder.ts";

export const pinsPath = (state: string): string => join(state, "usb-pins");

export const pinsText = (pins: readonly UsbPin[]): string =>
  pins.map(({ port, descriptors }) => `${port} ${descriptors}\n`).join("");

/** Nothing: USB is not gated, and the next start of the machine holds nothing. */
export function keepPinsFile(state: string, pins: readonly UsbPin[] | undefined): void {
  if (pins === undefined) rmSync(pinsPath(state), { force: true });
  else replaceFile(pinsPath(state), pinsText(pins));
}
