/** `hypervisor.layout`: what dom0 can see of the machine below it. "none" is an honest answer. */
import { z } from "zod";

/** How the primary guest's direct device is kept from the rest. `direct-map`: DMA works and nothing stops it, so it
 *  is never shown as safe. */
export const Isolation = z.enum(["iommu", "direct-map", "emulated", "none"]);
export type Isolation = z.infer<typeof Isolation>;

const hexAddress = z.string().regex(/^0x[0-9a-f]{1,16}$/, "an address is 0x and hex digits");

export const HypervisorLayout = z.object({
  hypervisor: z.enum(["xen", "none"]),
  version: z.string().max(128).optional(),
  isolation: Isolation,
  iommu: z.string().max(128).optional(),
  /** Machine memory, `from` inclusive, `to` exclusive. */
  regions: z.array(
    z.object({ owner: z.string().max(128), from: hexAddress, to: hexAddress, oneToOne: z.boolean().optional() }),
  ),
  devices: z.array(
    z.object({
      sbdf: z.string().max(32),
      class: z.string().max(64),
      owner: z.string().max(128),
      interrupt: z.string().max(64).optional(),
    }),
  ),
  audit: z.object({ pages: z.int().min(0), wrong: z.int().min(0) }).optional(),
});
export type HypervisorLayout = z.infer<typeof HypervisorLayout>;
