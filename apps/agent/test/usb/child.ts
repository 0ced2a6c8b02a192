/** The gate as a process of its own over a real spool, for kills: says each step when it is on disk, and stops there for
 *  ever where it is told to. Arguments: a folder, and a step, `planned` (the handle is chosen), `given` (the guest has it,
 *  the record is not written), `open` (dom0 may read it), each also of one port (`copied@1-2`), or `none`. `gate.json` in
 *  the folder has pins and direct rules, `denied.json` what the overlay denies now; `detached` is when the guest has lost it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { DEFAULT_USB, UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbPin } from "@sallyport/shared/usb/device.ts";
import { usbPorts } from "../../src/dom0/usb.ts";
import { usbEvents } from "../../src/dom0/usb-watch.ts";
import { liveGate } from "../../src/gate/live.ts";
import { simGuest } from "../../src/sim/guest.ts";
import type { SimUsb } from "../../src/sim/usb.ts";
import { simClaimPort } from "../../src/sim/usb-claims.ts";
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
const stop = async (at: string, port?: string): Promise<void> => {
  const said = port === undefined ? [at] : [at, `${at}@${port}`];
  process.stdout.write(`${said.join("\n")}\n`);
  if (said.includes(stopAt)) await new Promise(() => {});
};
const more = existsSync(join(root, "gate.json"))
  ? (JSON.parse(readFileSync(join(root, "gate.json"), "utf8")) as { pins: UsbPin[]; directRules: string[] })
  : { pins: [], directRules: [] };
const guest = simGuest(join(root, "guest"));
const place = { sysfs: join(root, "host/sys"), dev: join(root, "host/dev"), modules: join(root, "host/modules") };
const claimPort = simClaimPort(place);
const ports = usbPorts(place, claimPort);
const gate = liveGate({
  ...gateParts({
    kernel: { place, claimPort } as SimUsb,
    policy: UsbSection.parse({ ...DEFAULT_USB, unscannable: "allow", directRules: more.directRules }),
    pins: more.pins,
    exceptions: [],
    get denied() {
      const path = join(root, "denied.json");
      return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as OverlayEntry[]) : [];
    },
    clamd: null,
    volume: join(root, "volume"),
    attach: {
      ...guest,
      async image(handle, path) {
        await guest.image(handle, path);
        await stop("given");
      },
      async detach(handle) {
        await guest.detach(handle);
        await stop("detached");
      },
    },
  }),
  ports: {
    ...ports,
    async authorise(port, yes, shut) {
      const done = await ports.authorise(port, yes, shut);
      if (yes) await stop("open", port);
      return done;
    },
  },
  // after what an earlier life left was taken up
  async *events(signal) {
    process.stdout.write("looked\n");
    yield* usbEvents(signal, { udev: false, everyMs: 10 });
  },
  reached: (state) =>
    stop(state.step === "decided" && state.handles.length > 0 ? "planned" : state.step, state.device.port),
});
const outlet = {
  emit: intake.emit,
  position: (name: string) => spool.position(name),
  settings: () => ({ log, agent: Policy.parse({}).agent }),
  state: () => {},
};
await gate.run(outlet, new AbortController().signal);
