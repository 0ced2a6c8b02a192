/** `sallyport-agent hold-all`: what systemd runs when the agent has ended, however it ended. A device that was let in only
 *  to be read is held again at once, not when the agent starts the next time. What always passes and what the guest or
 *  dom0 has by the journal stays. It only ever holds, so doing it twice, or beside a running agent, lets nothing in. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { isPinned, isSamePlugging, type UsbDevice, type UsbPin } from "@sallyport/shared/usb/device.ts";
import type { UsbPorts } from "../dom0/usb.ts";
import { Journal } from "./journal.ts";

/** The journal as it was found: nothing where no gate has ever written one, or why it cannot be read. */
export type FoundJournal = { journal: Json | undefined } | { unreadable: string };

export type HoldParts = {
  ports: Pick<UsbPorts, "controllers" | "holdNew" | "holdLater" | "openLater" | "plugged" | "read" | "authorise">;
  pins: readonly UsbPin[];
  journal: FoundJournal;
};
export type Held = {
  /** Ports that were open and are held now, that stay as they are, and that could not be held, with the reason. */
  held: string[];
  kept: string[];
  failed: string[];
  /** Why everything but what always passes is held. */
  doubt?: string;
};

export async function holdAll({ ports, pins, journal }: HoldParts): Promise<Held> {
  const { own, doubt } = ownedBy(journal);
  const result: Held = { held: [], kept: [], failed: [], ...(doubt === undefined ? {} : { doubt }) };
  const tried = async (name: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      result.failed.push(`${name}: ${(error as Error).message}`);
    }
  };
  // first what comes next, then what is there: nothing slips in between
  await tried("controllers that come later", () => ports.holdLater());
  const controllers = await ports.controllers();
  await Promise.all(controllers.map(({ name }) => tried(name, () => ports.holdNew(name))));
  await Promise.all(controllers.map(({ name }) => tried(name, () => ports.openLater(name))));
  const open = (await ports.plugged()).filter(({ authorised }) => authorised);
  const hold = async ({ port, bus, address }: (typeof open)[number]) => {
    const read = await ports.read(port).catch(() => undefined);
    const device = read?.ok && read.value.bus === bus && read.value.address === address ? read.value : undefined;
    if (device && (isPinned(device, pins) || own.some((each) => isSamePlugging(each, device)))) {
      result.kept.push(port);
      return;
    }
    if (await ports.authorise(port, false)) result.held.push(port);
  };
  // at once: a driver that does not let go keeps only its own waiting
  await Promise.all(open.map((at) => tried(at.port, () => hold(at))));
  const after = await ports.controllers();
  for (const { name, authorizedDefault } of after)
    if (authorizedDefault !== "0") result.failed.push(`${name}: it lets new devices in (${authorizedDefault})`);
  for (const each of [result.held, result.kept, result.failed]) each.sort();
  return result;
}

/** Devices that are themselves the guest's or dom0's. A stick whose copy the guest has is held all the while. */
function ownedBy(found: FoundJournal): { own: UsbDevice[]; doubt?: string } {
  if ("unreadable" in found) return { own: [], doubt: found.unreadable };
  const read = Journal.safeParse(found.journal ?? []);
  if (!read.success) return { own: [], doubt: "the gate's journal is of a kind that this version does not know" };
  return {
    own: read.data.flatMap(({ state }) =>
      state.step === "attached" && (state.mode === "device" || state.mode === "dom0") ? [state.device] : [],
    ),
  };
}
