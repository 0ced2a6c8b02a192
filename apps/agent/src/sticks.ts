/** Wires the drop folder to the gate's reading half; the scanner's code is loaded with the first image. */
import { availableParallelism } from "node:os";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { DEFAULT_USB, type UsbSection } from "@sallyport/shared/policy/usb.ts";
import { sha256 } from "./dom0/crypto.ts";
import { listDropped, readWords } from "./dom0/stick-folder.ts";
import { lanesFor } from "./gate/lanes.ts";
import { sticksSource } from "./gate/sticks.ts";
import type { Source } from "./sources/source.ts";

export function sticks(
  folder: string | undefined,
  usb: () => UsbSection | undefined,
  denied: () => readonly OverlayEntry[],
  now: () => number,
  scannerSet: () => Promise<string | undefined>,
  scannerConf: string | undefined,
): Source[] {
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
        const clamd = await findClamd(undefined, scannerConf, process.env, readWords);
        const policy = usb() ?? DEFAULT_USB;
        const lanes = lanesFor(availableParallelism());
        const set = await scannerSet();
        const named = set === undefined ? {} : { set };
        const at = () => new Date(now());
        return scan(path, { ...named, policy, denied, clamd, start: startReader, now: at, lanes, source, signal });
      },
    }),
  ];
}
