/** Wires the drop folder to the gate's reading half; the scanner's code is loaded with the first image. */
import { availableParallelism } from "node:os";
import { DEFAULT_USB, type UsbSection } from "@sallyport/shared/policy/usb.ts";
import { sha256 } from "./dom0/crypto.ts";
import { listDropped, readWords } from "./dom0/stick-folder.ts";
import { sticksSource } from "./gate/sticks.ts";
import type { Source } from "./sources/source.ts";

export function sticks(folder: string | undefined, usb: () => UsbSection | undefined, now: () => number): Source[] {
  if (folder === undefined) return [];
  return [
    sticksSource({
      folder,
      list: listDropped,
      hash: sha256,
      now,
      async scan(path, source, signal) {
        const [{ scan }, { findClamd }, { startReader }] = await Promise.all([
          import("./gate/scan.ts"),
          import("./gate/command.ts"),
          import("./dom0/confine.ts"),
        ]);
        const clamd = await findClamd(undefined, undefined, process.env, readWords);
        const policy = usb() ?? DEFAULT_USB;
        const lanes = availableParallelism();
        return scan(path, { policy, clamd, start: startReader, now: () => new Date(now()), lanes, source, signal });
      },
    }),
  ];
}
