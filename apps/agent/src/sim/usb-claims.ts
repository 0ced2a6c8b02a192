/** The kernel's claims on a hub's ports (usbfs, USBDEVFS_CLAIM_PORT), for any process over one pretend place: each is a file
 *  that names the process that has it, and ends with that process. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DoorError } from "../dom0/dom0.ts";
import type { ClaimPort } from "../dom0/usb-claim.ts";
import type { UsbPlace } from "../dom0/usb-place.ts";

/** Where it is known who claims a port of which hub: a process that lives. */
export const claimFile = ({ dev }: UsbPlace, hub: string, port: number): string =>
  join(dev, `claims-${hub.slice(`${dev}/bus/usb/`.length).replace("/", "-")}-${port}`);
/** Its number comes again, not at the same tick of the clock. */
const lifeOf = (pid: number | string): string | undefined => {
  try {
    const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1")) ?? [];
    return `${pid} ${fields.split(" ")[19]}`;
  } catch {
    return undefined; // it has ended
  }
};
/** @param path as `claimFile` says */
export const isClaimed = (path: string): boolean => {
  if (!existsSync(path)) return false;
  const [pid = "", since] = readFileSync(path, "utf8").split(" ");
  return lifeOf(pid) === `${pid} ${since}`;
};
let claimsMade = 0;

/** The kernel's side of a claim, for any process over this place. */
export function simClaimPort(place: UsbPlace): ClaimPort {
  return async (hub, port) => {
    if (!existsSync(hub)) throw new DoorError(`there is no hub ${hub}`);
    const path = claimFile(place, hub, port);
    if (isClaimed(path)) throw new DoorError(`port ${port} of ${hub} is claimed by another`);
    const own = `${lifeOf(process.pid)} ${++claimsMade}`;
    // whole or not at all: who is killed here leaves no claim of nobody
    const coming = `${path}.${process.pid}`;
    writeFileSync(coming, own);
    renameSync(coming, path);
    const isOver = () => !existsSync(path) || readFileSync(path, "utf8") !== own;
    return {
      isOver,
      async letGo() {
        if (!isOver()) rmSync(path, { force: true });
      },
    };
  };
}
