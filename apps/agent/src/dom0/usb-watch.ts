/** The kernel's uevents → wake-ups. What they say is not believed: whoever is woken looks at sysfs. */
import { spawn } from "node:child_process";
import { Bell, pause, wakes } from "../pace.ts";

/** A look without any event, where udev is absent; and where it is there and a message may be lost: a new device is held by
 *  the kernel until somebody looks. */
const EVERY_MS = 1_000;
const EVERY_HEARD_MS = 3_000;
const RESTART_MS = 10_000;

/** Yields at once, at each uevent, and at the latest each `everyMs`. Ends with the signal. */
export async function* usbEvents(
  signal: AbortSignal,
  { udev = true, everyMs }: { udev?: boolean; everyMs?: number } = {},
): AsyncGenerator<void> {
  const bell = new Bell();
  let isHeard = false;
  const heard = (is: boolean) => {
    isHeard = is;
    bell.ring();
  };
  const listening = udev ? listen(() => bell.ring(), heard, signal) : undefined;
  try {
    yield* wakes(bell, () => everyMs ?? (isHeard ? EVERY_HEARD_MS : EVERY_MS), signal);
  } finally {
    await listening;
  }
}

async function listen(ring: () => void, heard: (is: boolean) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const child = spawn("udevadm", ["monitor", "--kernel", "--subsystem-match=usb", "--subsystem-match=block"], {
        stdio: ["ignore", "pipe", "ignore"],
        signal,
        killSignal: "SIGKILL",
      });
      child.once("spawn", () => heard(true));
      child.stdout.on("data", ring);
      child.once("error", () => resolve());
      child.once("close", () => resolve());
    });
    heard(false);
    await pause(RESTART_MS, signal);
  }
}
