/** The gate's journal: what is under way for each device, small enough to be written with each step. What a scan found
 *  is not in it; a passage that was cut short begins anew, and only what the guest has is taken up as it is. */
import { GateStep, UsbMode } from "@sallyport/shared/record/usb.ts";
import { UsbDevice } from "@sallyport/shared/usb/device.ts";
import { z } from "zod";
import type { GateState } from "./passage-state.ts";
import { Basis } from "./stricter.ts";

/** Its name among the sources' positions. */
export const POSITION = "usb-gate";

const Images = z.array(z.object({ lun: z.int().min(0), bytes: z.int().min(0), sha256: z.string(), file: z.string() }));
const State = z.union([
  z.object({
    step: z.literal("attached"),
    device: UsbDevice,
    images: Images,
    mode: UsbMode,
    handles: z.array(z.string()),
    exception: z.string().optional(),
  }),
  z.object({ step: z.literal("refused"), device: UsbDevice, at: GateStep, reason: z.string() }),
  z.object({ step: z.literal("removed"), device: UsbDevice, after: GateStep }),
  /** Any other: how far it came. */
  z.object({ step: GateStep.exclude(["attached", "removed"]), device: UsbDevice }),
]);

export const JournalEntry = z.object({
  state: State,
  debts: z.object({ handles: z.array(z.string()), files: z.array(z.string()) }),
  /** Of what the guest or dom0 has: what it passed under. Absent in what an agent from before it has written. */
  basis: Basis.optional(),
});
export type JournalEntry = z.infer<typeof JournalEntry>;
export const Journal = z.array(JournalEntry);

/** As far as it was given to be written, with what is owed now: nothing where none of it was. */
export function journalled({
  noted: state,
  debts,
  basis,
}: {
  noted?: GateState;
  debts: JournalEntry["debts"];
  basis?: Basis | undefined;
}): JournalEntry[] {
  if (!state) return [];
  const kept = { debts: { handles: [...debts.handles], files: [...debts.files] } };
  switch (state.step) {
    case "attached":
      return [{ state, ...kept, ...(basis && { basis }) }];
    case "refused":
    case "removed":
      return [{ state, ...kept }];
    default:
      return [{ state: { step: state.step, device: state.device }, ...kept }];
  }
}
