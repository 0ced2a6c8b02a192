/** The deny overlay now, and a device that is on its way or with the guest. Pure. */
import { deniedDevice, deniedFile, deniedHashes } from "@sallyport/shared/policy/overlay.ts";
import { deniedReason } from "@sallyport/shared/usb/decide.ts";
import { isPinned, ruleFacts } from "@sallyport/shared/usb/device.ts";
import { deniedDeviceReason } from "@sallyport/shared/usb/judge.ts";
import type { GateState, Rules } from "./passage-state.ts";

/** Why a device that is on its way, or with the guest, may not be any more; nothing where it may. `holds` says whether a
 *  file of this hash is on it; absent where nobody knows any more what is. */
export function deniedHere(
  state: GateState,
  holds: ((sha256: string) => boolean) | undefined,
  { denied, pins }: Pick<Rules, "denied" | "pins">,
): string | undefined {
  const { device } = state;
  if (denied.length === 0 || isPinned(device, pins) || state.step === "removed" || state.step === "refused")
    return undefined;
  const entry = deniedDevice(denied, ruleFacts(device));
  if (entry) return deniedDeviceReason(entry);
  for (const image of "images" in state ? state.images : []) {
    const found = deniedFile(denied, { manifest: [], image: { sha256: image.sha256, size: image.bytes } });
    if (found) return deniedReason(found);
  }
  const hashes = deniedHashes(denied);
  if (!holds && hashes.size > 0)
    return "files are denied now, and what is on it is not known any more since the agent was started again: plug it in again";
  for (const [sha256, { id, until, reason }] of hashes)
    if (holds?.(sha256)) return `it holds the file ${sha256}, denied until ${until} (overlay ${id}): ${reason}`;
  return undefined;
}
