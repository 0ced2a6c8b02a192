/** What Xen says of itself → the body of hypervisor.layout. Pure; what is not said is absent. */
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";

export type Below = {
  /** /sys/hypervisor/type; nothing where the file is absent. */
  type: string | undefined;
  /** /proc/xen/capabilities: `control_d` in dom0. */
  capabilities: string | undefined;
  /** What `xl info` printed; nothing where it could not be run. */
  info: string | undefined;
};

const NONE: HypervisorLayout = { hypervisor: "none", isolation: "none", regions: [], devices: [] };

export function layoutOf({ type, capabilities, info }: Below): { body: HypervisorLayout; text: string } {
  if (type?.trim() !== "xen") return { body: NONE, text: "no hypervisor below this machine" };
  if (!capabilities?.includes("control_d")) {
    return { body: NONE, text: "this machine is itself a guest of Xen, which shows it nothing of what is below" };
  }
  const facts = infoFacts(info ?? "");
  const version = facts.get("xen_version") ?? "";
  const directIo = facts.get("virt_caps")?.split(/\s+/).includes("hvm_directio");
  const iommu = facts.has("virt_caps") ? (directIo ? "usable" : "absent or off") : undefined;
  const body: HypervisorLayout = {
    ...NONE,
    hypervisor: "xen",
    ...(version && { version: version.slice(0, 128) }),
    ...(iommu && { iommu }),
  };
  const words = [`Xen ${version || "of unknown version"}`, iommu && `IOMMU ${iommu}`, "no direct device is known of"];
  return { body, text: words.filter(Boolean).join(", ") };
}

/** `name   : value` lines. */
export function infoFacts(info: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of info.split("\n").slice(0, 256)) {
    const colon = line.indexOf(":");
    if (colon > 0) facts.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return facts;
}
