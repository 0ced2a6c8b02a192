/** `sallyport-agent enrol` → config.json, where there is none: so that an enrolled workstation guards from its first start
 *  on. One that is there is a person's and stays as it is. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { GateChoice, readConfig } from "../config.ts";
import type { Dom0 } from "../dom0/dom0.ts";
import { realDom0 } from "../dom0/real.ts";
import { usbPorts } from "../dom0/usb.ts";
import { neededUsb } from "../dom0/usb-needed.ts";
import { keepPinsFile } from "../dom0/usb-pins-file.ts";
import type { UsbPlace } from "../dom0/usb-place.ts";
import { firstConfig } from "./first-config.ts";
import { replaceFile } from "./folder.ts";
import { lookAtMachine } from "./machine.ts";

/** `path` is null where nothing was written; the words say why. */
export type FirstConfigFile = { path: string | null; words: string[] };

/** @throws DoorError where the machine cannot be looked at, ConfigError where the one that is there cannot be read */
export async function keepFirstConfig(
  state: string,
  dom0: Pick<Dom0, "run" | "list" | "facts" | "owner" | "readText"> = realDom0,
  place: UsbPlace = GateChoice.parse({}),
): Promise<FirstConfigFile> {
  const path = join(state, "config.json");
  if (existsSync(path)) {
    const there = `${path} is there already and stays as it is.`;
    if (readConfig(state, undefined).usb) return { path: null, words: [there] };
    return { path: null, words: [there, "USB: not gated, because usb does not stand in it (docs/usb-gate.md)."] };
  }
  const first = firstConfig(await lookAtMachine(dom0, usbPorts(place), () => neededUsb(place)));
  if ("none" in first) return { path: null, words: [first.none] };
  replaceFile(path, `${JSON.stringify(first.config, null, 2)}\n`);
  keepPinsFile(state, first.config.usb?.pins);
  return { path, words: [`Written to ${path}, by what was seen; look it over:`, ...first.words] };
}
