import { layoutOf } from "@sallyport/shared/workstation/isolation.ts";
import { expect, it } from "vitest";
import { DoorError, type Ran } from "../../dom0/dom0.ts";
import { type HypervisorDoor, look } from "./look.ts";

const LIST = "Name  ID  Mem VCPUs State Time(s)\nDomain-0  0  896  2  r-----  73.1\nprimary  1  511  1  -b----  8.2\n";

function door(files: Record<string, string>, commands: Record<string, string>): HypervisorDoor {
  return {
    now: () => 0,
    readText: async (path) => files[path],
    list: async () => ["0000:00:10.0", "power"],
    run: async (program, args): Promise<Ran> => {
      const stdout = commands[[program, ...args].join(" ")];
      if (stdout === undefined) throw new DoorError(`${program} cannot be run`);
      return { code: 0, stdout, stderr: "", timedOut: false };
    },
  };
}

it("asks nothing of Xen where there is none", async () => {
  const none = door({}, {});
  expect(await look(none, AbortSignal.timeout(1_000))).toEqual({ type: undefined, capabilities: undefined });
});

it("gathers in dom0 what the grade is made from", async () => {
  const files = {
    "/sys/hypervisor/type": "xen\n",
    "/proc/xen/capabilities": "control_d\n",
    "/sys/bus/pci/devices/0000:00:10.0/class": "0x038000\n",
    "/sys/bus/pci/devices/0000:00:10.0/irq": "21\n",
  };
  const commands = {
    "xl list": LIST,
    "xl info": "xen_version : 4.20.3\nvirt_caps : hvm hvm_directio\nxen_commandline : lowmem_domu=1G\n",
    "xl pci-list 1": "Vdev Device\n05.0 0000:00:10.0\n",
    "xenhypfs cat /lowmem/layout": "pool=0x100000-0x40000000 xen=0x40200000-0x405a6000 dom0= iommu=none(direct)\n",
    "xenhypfs cat /lowmem/owner": "d1\n",
  };
  const { body, severity } = layoutOf(await look(door(files, commands), AbortSignal.timeout(1_000)));
  expect(body).toMatchObject({
    isolation: "direct-map",
    devices: [{ sbdf: "0000:00:10.0", class: "display", owner: "primary", interrupt: "21" }],
  });
  expect(severity).toBe("warning");
});
