/** What the tests see of the gate in dom0. */
import path from "node:path";
import { type Guarded, until } from "./guarded.ts";

export const MIB = 1024 * 1024;
/** Slow enough that something can happen in the middle. */
export const SLOW = { bytesPerSecond: 2 * MIB };
export const SLOW_MIB = 16;
export const HALF_WAY = 4 * MIB;
/** Where QEMU's devices come up: what they may do, by port. */
export const AUTHORISED =
  "for d in /sys/bus/usb/devices/[0-9]*-*; do case $d in *:*) ;; *) echo $(cat $d/product $d/authorized) ;; esac; done";

export function gateOf(at: () => Guarded) {
  const dom0 = (command: string) => at().workstation.dom0.run(command);
  const sticks = async () => (await dom0(AUTHORISED)).split("\n").filter((line) => /HARDDRIVE/.test(line));
  return {
    /** Where a stick's image lies. */
    image: (name: string) => path.join(at().workstation.folder, `${name}.img`),
    isHeld: () => until(async () => (await sticks()).every((line) => line.endsWith(" 0")), "the stick is held"),
    /** Nothing that was read of any stick lies in dom0. */
    isForgotten: (when = "") =>
      until(
        async () => (await dom0("ls /var/lib/sallyport-agent/usb 2> /dev/null || true")) === "",
        `what was read of it is gone${when}`,
      ),
    /** Every controller holds what is new: those that came since are closed by the gate. */
    isClosed: () =>
      until(
        async () => (await dom0("grep -L 0 /sys/bus/usb/devices/usb*/authorized_default || true")) === "",
        "every controller holds what is new",
      ),
    stepsOf: async (stick: string, since: Date) =>
      (await at().records("usb.step", since)).flatMap(({ body }) =>
        body.stick === stick ? [body.step as string] : [],
      ),
  };
}
