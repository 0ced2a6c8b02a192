/** Wires `hold-all`: the configuration's pins, the journal in the spool that nobody writes to any more, and the ports. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { UsbPin } from "@sallyport/shared/usb/device.ts";
import { ConfigError, GateChoice, readConfig } from "./config.ts";
import { readWords } from "./dom0/stick-folder.ts";
import { usbPorts } from "./dom0/usb.ts";
import { pinsPath } from "./dom0/usb-pins-file.ts";
import { type FoundJournal, type Held, holdAll } from "./gate/hold-all.ts";
import { POSITION } from "./gate/journal.ts";
import { spoolPath } from "./spool/open.ts";
import { readPosition } from "./spool/schema.ts";

const PINS_BYTES_MAX = 64 * 1024;

/** Nothing: no gate has ever held anything here. @throws ConfigError where neither configuration nor journal can be read,
 *  so that nobody knows whether dom0 gates at all */
export async function runHoldAll(state: string, named: string | undefined): Promise<Held | undefined> {
  let usb: GateChoice | undefined;
  let fault: ConfigError | undefined;
  try {
    usb = readConfig(state, named).usb;
    if (!usb) return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fault = error;
  }
  const journal = readJournal(state);
  const listed = await listedPins(state);
  if (fault && "unreadable" in journal && listed === undefined) throw fault;
  if ("journal" in journal && journal.journal === undefined && listed === undefined) return undefined;
  const { sysfs, dev, pins } = usb ?? GateChoice.parse({});
  return holdAll({ ports: usbPorts({ sysfs, dev }), pins: fault ? (listed ?? []) : pins, journal });
}

/** A spool that is damaged, or that somebody has locked, says nothing. */
function readJournal(state: string): FoundJournal {
  try {
    const text = readPosition(spoolPath(state), POSITION);
    return { journal: text === undefined ? undefined : (JSON.parse(text) as Json) };
  } catch (error) {
    return { unreadable: `the spool ${spoolPath(state)} cannot be read: ${whyNot(error)}` };
  }
}

/** What the agent that gates leaves for whoever holds in its place: a port and the sha256 of descriptors a line. */
async function listedPins(state: string): Promise<UsbPin[] | undefined> {
  const text = await readWords(pinsPath(state), PINS_BYTES_MAX).catch(() => undefined);
  return text?.split("\n").flatMap((line) => {
    const [port, descriptors] = line.split(" ");
    const pin = UsbPin.safeParse({ port, descriptors });
    return pin.success ? [pin.data] : [];
  });
}

export function heldInWords(held: Held | undefined): string[] {
  if (!held) return ["USB: dom0 gates nothing here, so nothing is held."];
  const { held: ports, kept, failed, doubt } = held;
  return [
    ...(doubt === undefined ? [] : [`USB: everything but what always passes is held, because ${doubt}`]),
    `USB: held ${ports.join(", ") || "nothing that was open"}; ${kept.join(", ") || "nothing"} stays as it is.`,
    ...failed.map((each) => `USB: NOT HELD ${each}`),
  ];
}
