/** The gate as a process of its own over a real spool, for kills: says each step when it is on disk, and stops there for
 *  ever where it is told to. Arguments: a folder, and a step, `planned` (the handle is chosen), `given` (the guest has it,
 *  the record is not written) or `none`. */
import { join } from "node:path";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { DEFAULT_USB, UsbSection } from "@sallyport/shared/policy/usb.ts";
import { usbEvents } from "../../src/dom0/usb-watch.ts";
import { liveGate } from "../../src/gate/live.ts";
import { simGuest } from "../../src/sim/guest.ts";
import type { SimUsb } from "../../src/sim/usb.ts";
import { Intake } from "../../src/spool/intake.ts";
import { gateParts } from "./gate.ts";
import { openKilled } from "./spool.ts";

const [, , root, stopAt] = process.argv as [string, string, string, string];
const spool = openKilled(root);
const { log } = Policy.parse({});
const intake = new Intake({
  spool,
  log: () => log,
  now: Date.now,
  monotonic: () => performance.now(),
  onTrouble: (error) => process.stderr.write(`${error.message}\n`),
});
const stop = async (at: string): Promise<void> => {
  process.stdout.write(`${at}\n`);
  if (at === stopAt) await new Promise(() => {});
};
const guest = simGuest(join(root, "guest"));
const place = { sysfs: join(root, "host/sys"), dev: join(root, "host/dev") };
const gate = liveGate({
  ...gateParts({
    kernel: { place } as SimUsb,
    policy: UsbSection.parse({ ...DEFAULT_USB, unscannable: "allow" }),
    pins: [],
    exceptions: [],
    denied: [],
    clamd: null,
    volume: join(root, "volume"),
    attach: {
      ...guest,
      async image(handle, path) {
        await guest.image(handle, path);
        await stop("given");
      },
    },
  }),
  // after what an earlier life left was taken up
  async *events(signal) {
    process.stdout.write("looked\n");
    yield* usbEvents(signal, { udev: false, everyMs: 10 });
  },
  reached: (state) => stop(state.step === "decided" && state.handles.length > 0 ? "planned" : state.step),
});
const outlet = {
  emit: intake.emit,
  position: (name: string) => spool.position(name),
  settings: () => ({ log, agent: Policy.parse({}).agent }),
  state: () => {},
};
await gate.run(outlet, new AbortController().signal);
