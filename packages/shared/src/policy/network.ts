/** What the guest's virtual wire lets through; dom0 is the firewall. First rule that matches wins. */
import { z } from "zod";
import { Mode } from "./mode.ts";

const portRange = z
  .string()
  .regex(/^\d{1,5}(?:-\d{1,5})?$/, "a port is 443, a range 8000-8080")
  .refine((text) => {
    const [from, to = from] = text.split("-").map(Number);
    return from! >= 1 && to! <= 65_535 && from! <= to!;
  }, "ports lie between 1 and 65535, the lower first");

export const NetworkRule = z.strictObject({
  name: z.string().min(1).max(64),
  verdict: z.enum(["allow", "block"]),
  direction: z.enum(["out", "in"]).default("out"),
  protocol: z.enum(["tcp", "udp", "icmp", "any"]).default("any"),
  /** Address or prefix of the far side; absent: any. */
  to: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).optional(),
  ports: z.array(portRange).max(64).optional(),
});
export type NetworkRule = z.infer<typeof NetworkRule>;

export const NetworkSection = z.strictObject({
  mode: Mode.default("enforce"),
  otherwise: z.enum(["allow", "block"]).default("block"),
  rules: z.array(NetworkRule).max(1_000).default([]),
});
export type NetworkSection = z.infer<typeof NetworkSection>;
