/** A guest under Xen, by the words of xl's manual: what is attached to it is a list, and xl's tables are printed over that. */
import { attachTo } from "../../src/dom0/attach-to.ts";
import { simDom0 } from "../../src/sim/sim.ts";

/** As libxl of Xen 4.20 says it where its script may not do its work. */
const SCRIPT_FAILED = `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [1886] exited with error status 1
libxl: error: libxl_device.c:1495:device_addrm_aocomplete: Domain 1:Unable to add vbd with id 51856
libxl_device_disk_add failed.
`;

const IS_THERE = `libxl: error: libxl_disk.c:device_disk_add: Domain 7:device already exists in xenstore
libxl_device_disk_add failed.
`;
const vdevOf = (words: string): string => /vdev=(\w+)/.exec(words)![1]!;

/** xl's tables, as xl(1) prints them, over a list of what is attached to the guest `desk`. */
export function xen() {
  const dom0 = simDom0();
  const asked: string[][] = [];
  const runs = { id: 7, isPaused: false, isOver: false };
  const disks = new Map<string, string>();
  const usb = new Set<string>();
  dom0.program("xl", (args) => {
    asked.push([...args]);
    const [command, guest, what] = args as [string, string, string];
    if (command === "list") {
      const state = runs.isOver ? "---s--" : runs.isPaused ? "--p---" : "r-----";
      const rows = ["Domain-0   0  1024  1  r-----  12.3", `desk       ${runs.id}   512  1  ${state}   4.5`];
      return { stdout: ["Name  ID  Mem  VCPUs  State  Time(s)", ...rows.slice(0, runs.id === 0 ? 1 : 2)].join("\n") };
    }
    if (guest !== "desk" || runs.id === 0)
      return { code: 1, stderr: `${guest} is an invalid domain identifier (rc=-6)` };
    switch (command) {
      case "block-list": {
        const rows = [...disks.keys()].map(
          (name) => `${51712 + (name.charCodeAt(3) - 97) * 16} 0  7  4  -1  -1  /local/domain/0/backend`,
        );
        return { stdout: ["Vdev  BE  handle state evt-ch ring-ref BE-path", ...rows].join("\n") };
      }
      case "block-attach":
        if (what.includes("target=/lost/")) return { code: 1, stderr: SCRIPT_FAILED };
        if (disks.has(vdevOf(what))) return { code: 1, stderr: IS_THERE };
        disks.set(vdevOf(what), what);
        return {};
      case "block-detach":
        return disks.delete(what) ? {} : { code: 1, stderr: "Error: Device not connected" };
      case "usb-list": {
        const hex = (number: string | undefined) => Number(number).toString(16).padStart(3, "0");
        const ports = [...usb].map((each, at) => {
          const [bus, address] = each.split(".");
          return `  Port ${at + 1}: Bus ${hex(bus)} Device ${hex(address)}`;
        });
        return {
          stdout: [
            "Devid  Type         BE  state usb-ver ports",
            "0      devicemodel  0   0     2      8   ",
            ...ports,
          ].join("\n"),
        };
      }
      case "usbdev-attach":
        // as xl's reader of words: what follows the first = is the value, commas and all
        if (what !== "type=hostdev") return { code: 1, stderr: "Invalid usb device type: (null)" };
        usb.add(
          args
            .slice(3)
            .map((word) => /^host(?:bus|addr)=(\d+)$/.exec(word)![1])
            .join("."),
        );
        return {};
      case "usbdev-detach":
        usb.clear();
        return {};
      default:
        return { code: 2 };
    }
  });
  return {
    attach: attachTo(dom0, { by: "xl", guest: "desk" }),
    asked,
    disks,
    usb,
    runs,
    lost: attachTo(dom0, { by: "xl", guest: "gone" }),
  };
}
