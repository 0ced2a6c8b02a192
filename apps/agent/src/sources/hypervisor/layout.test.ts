import { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import { expect, it } from "vitest";
import { layoutOf } from "./layout.ts";

const info = `host                   : dom0
release                : 6.12.0
virt_caps              : pv hvm hap shadow gnttab-v1
xen_version            : 4.20.4-pre
xen_commandline        : dom0_mem=1024M cpuidle=0
`;
const dom0 = { type: "xen\n", capabilities: "control_d\n" };

it.each([
  [
    "no hypervisor is an honest answer",
    { type: undefined, capabilities: undefined, info: undefined },
    { hypervisor: "none" },
    "no hypervisor below this machine",
  ],
  [
    "another hypervisor is not Xen",
    { type: "kvm", capabilities: undefined, info: undefined },
    { hypervisor: "none" },
    "no hypervisor",
  ],
  ["a guest is not dom0", { ...dom0, capabilities: "", info: undefined }, { hypervisor: "none" }, "itself a guest"],
  [
    "Xen with no IOMMU",
    { ...dom0, info },
    { hypervisor: "xen", version: "4.20.4-pre", iommu: "absent or off", isolation: "none" },
    "Xen 4.20.4-pre, IOMMU absent",
  ],
  [
    "Xen with an IOMMU",
    { ...dom0, info: info.replace("hap", "hap hvm_directio") },
    { iommu: "usable", isolation: "none" },
    "IOMMU usable",
  ],
  ["Xen whose tools do not answer", { ...dom0, info: undefined }, { hypervisor: "xen" }, "Xen of unknown version"],
])("%s", (_, below, body, text) => {
  const layout = layoutOf(below);
  expect(layout.body).toMatchObject(body);
  expect(layout.text).toContain(text);
  HypervisorLayout.parse(layout.body);
});
