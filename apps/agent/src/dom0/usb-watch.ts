/** The kernel's uevents → wake-ups. What they say is not believed: whoever is woken looks at sysfs. */
import { spawn } from "node:child_process";
import { Bell, pause, wakes } from "../pace.ts";

/** A look without any event: udev may be absent, or a message lost. */
const EVERY_MS = 1_000;
const RESTART_MS = 10_000;

/** Yields at once, at each uevent, and at the latest each `everyMs`. Ends with the signal. */
export async function* usbEvents(
  signal: AbortSignal,
  { udev = true, everyMs = EVERY_MS }: { udev?: boolean; everyMs?: number } = {},
): AsyncGenerator<void> {
  const bell = new Bell();
  const listening = udev ? listen(() => bell.ring(), signal) : undefined;
  try {
    yield* wakes(bell, everyMs, signal);
  } finally {
    await listening;
  }
}

async function listen(ring: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const child = spawn("udevadm", ["monitor", "--kernel", "--subsystem-match=usb", "--subsystem-match=block"], {
        stdio: ["ignore", "pipe", "ignore"],
        signal,
        killSignal: "SIGKILL",
      });
      child.stdout.on("data", ring);
      child.once("error", () => resolve());
      child.once("close", () => resolve());
    });
    await pause(RESTART_MS, signal);
  }
}
