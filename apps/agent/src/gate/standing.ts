/** Whether dom0 gates its USB ports, and why not where it does not: reported, and on record once for each change, so that
 *  a workstation with open ports is an alert and not a silence. */
import type { UsbGateBody } from "@sallyport/shared/record/usb.ts";
import { BOOT_KEYBOARD, isPinned, type UsbDevice, type UsbPin } from "@sallyport/shared/usb/device.ts";
import type { GateChoice } from "../config.ts";
import { parentOf, type UsbPorts } from "../dom0/usb.ts";
import type { Needed } from "../dom0/usb-needed.ts";
import type { Outlet, Source } from "../sources/source.ts";

export type Standing = UsbGateBody & { state: "gated" | "ungated" };

const TOLD = "usb-gate/standing";

/** `hasGated`: an earlier life of the agent held devices here, so nobody is locked out by what is held already. */
export async function standingOf(
  usb: GateChoice | undefined,
  ports: Pick<UsbPorts, "plugged" | "read">,
  hasGated: boolean,
  needed: () => Promise<Needed[]>,
): Promise<Standing> {
  if (!usb)
    return {
      state: "ungated",
      reason:
        "USB: not gated, because the agent's configuration does not turn it on (usb, docs/usb-gate.md). No device is held: whatever is plugged in is dom0's.",
    };
  const gated: Standing = { state: "gated", reason: `USB: gated; ${usb.pins.length} devices always pass` };
  if (hasGated) return gated;
  const cut = await unpinned(await needed(), ports, usb.pins);
  if (cut.length > 0)
    return {
      state: "ungated",
      reason:
        `USB: not gated, because that would cut off what dom0 itself stands on: ${cut.map(({ port, why }) => `${port} (${why})`).join(", ")}. Move it off USB, or pin it and the hubs before it (usb.pins, docs/usb-gate.md), and start the agent again.`.slice(
          0,
          1024,
        ),
    };
  if (usb.withoutKeyboard || usb.pins.length > 0) return gated;
  const keyboards: UsbDevice[] = [];
  for (const { port, authorised } of await ports.plugged()) {
    const read = authorised ? await ports.read(port) : undefined;
    if (read?.ok && read.value.interfaces.includes(BOOT_KEYBOARD)) keyboards.push(read.value);
  }
  if (keyboards.length === 0) return gated;
  const which = keyboards.map(({ port, id, name }) => `${port} ${id} ${name}`.trim()).join(", ");
  return {
    state: "ungated",
    reason:
      `USB: not gated, because that would cut off the keyboard at ${which}, and none is pinned. Run "sallyport-agent pin-keyboards" and start the agent again; where nobody needs it, set usb.withoutKeyboard in its configuration.`.slice(
        0,
        1024,
      ),
  };
}

/** Those that pins do not let in, they or a hub on the way to them. */
async function unpinned(
  needed: readonly Needed[],
  ports: Pick<UsbPorts, "read">,
  pins: readonly UsbPin[],
): Promise<Needed[]> {
  const found: Needed[] = [];
  for (const each of needed) {
    for (let { port } = each; !port.startsWith("usb"); port = parentOf(port)) {
      const read = await ports.read(port);
      if (read?.ok && isPinned(read.value, pins)) continue;
      found.push(each);
      break;
    }
  }
  return found;
}

/** Once for each change, also over restarts. Where dom0 has no controller there is nothing to gate, and nothing to tell. */
export async function tellStanding(
  outlet: Outlet,
  ports: Pick<UsbPorts, "controllers">,
  standing: Standing,
  now: () => number,
): Promise<void> {
  const { state, reason } = standing;
  const before = outlet.position(TOLD);
  if (before === reason || (before === undefined && state === "gated") || (await ports.controllers()).length === 0)
    return;
  const severity = state === "gated" ? "notice" : "error";
  await outlet.emit({
    observations: [{ kind: "usb.gate", severity, time: now(), text: reason.slice(0, 512), body: { state, reason } }],
    position: { name: TOLD, value: reason },
  });
}

/** In the gate's place where it is not turned on. */
export const ungatedSource = (ports: Pick<UsbPorts, "controllers">, standing: Standing, now: () => number): Source => ({
  name: "usb",
  async run(outlet, signal) {
    outlet.state({ state: "absent", reason: standing.reason.slice(0, 512) });
    await tellStanding(outlet, ports, standing, now);
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  },
});
