/** sysfs and /dev of a pretend kernel, as plain folders: what every reader of a `UsbPlace` finds before anything is plugged in,
 *  and how files are put there. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { UsbPlace } from "../dom0/usb-place.ts";

const DRIVERS = ["hub", "uas", "usb-storage", "usbhid"];
/** As in Debian's 6.12. */
const ALIASES = `# Aliases extracted from modules themselves.
alias usb:v*p*d*dc*dsc*dp*ic03isc*ip*in* usbhid
alias usb:v*p*d*dc09dsc*dp*ic*isc*ip*in* usbcore
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip62in* uas
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* uas
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage
alias usb:v0BDAp0138d*dc*dsc*dp*ic*isc*ip*in* ums_realtek
alias usb:v0421p0019d059[2-9]dc*dsc*dp*ic*isc*ip*in* usb_storage
alias usb:vEB1Ap2750d*dc*dsc*dp*ic*isc*ip*in* em28xx
`;

export type UsbTree = {
  place: UsbPlace;
  /** A path below the devices of the bus. */
  at: (...names: string[]) => string;
  /** Writes files into a folder, which is made; text gets the end of line that the kernel gives it. As from the kernel, nobody
   *  sees a folder without its files, nor a file without its text. */
  put: (folder: string, files: Record<string, string | Uint8Array>) => void;
  /** A file's text; "0" where it is absent. */
  read: (path: string) => string;
  driver: (name: string) => string;
  /** Programs that take an interface are asked for by it. */
  probe: string;
  /** The kernel's own parameters, which controllers that come later begin with. */
  parameters: string;
  /** The node by which a hub's ports are claimed. */
  nodeOf: (hub: string) => string;
  addNode: (hub: string) => void;
};

export function usbTree(root: string): UsbTree {
  const place = { sysfs: join(root, "sys"), dev: join(root, "dev"), modules: join(root, "modules") };
  const bus = join(place.sysfs, "bus/usb");
  const at = (...names: string[]) => join(bus, "devices", ...names);
  const begun = join(root, "begun");
  const put: UsbTree["put"] = (folder, files) => {
    mkdirSync(begun, { recursive: true });
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(begun, name), typeof text === "string" ? `${text}\n` : text);
    mkdirSync(dirname(folder), { recursive: true });
    if (!existsSync(folder)) renameSync(begun, folder);
    else for (const name of Object.keys(files)) renameSync(join(begun, name), join(folder, name));
  };
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim() : "0");
  const driver = (name: string) => join(bus, "drivers", name);
  const parameters = join(place.sysfs, "module/usbcore/parameters");
  const nodeOf = (hub: string) =>
    join(place.dev, "bus/usb", ...["busnum", "devnum"].map((name) => read(at(hub, name)).padStart(3, "0")));
  mkdirSync(place.dev, { recursive: true });
  mkdirSync(join(place.sysfs, "class/block"), { recursive: true });
  put(place.modules, { "modules.alias": ALIASES });
  for (const name of DRIVERS) put(driver(name), { bind: "" });
  put(bus, { drivers_probe: "" });
  put(parameters, { authorized_default: "-1" });
  return {
    ...{ place, at, put, read, driver, parameters, nodeOf },
    probe: join(bus, "drivers_probe"),
    addNode(hub) {
      mkdirSync(join(nodeOf(hub), ".."), { recursive: true });
      writeFileSync(nodeOf(hub), "");
    },
  };
}
