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

export const NetworkAddress = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
  "an address is 192.0.2.7 or 2001:db8::7, a prefix 192.0.2.0/24",
);

export const HostName = z
  .string()
  .max(253)
  .regex(
    /^(?=.*[a-z])[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)*$/i,
    "a name as DNS has it",
  );

const clock = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "a time of day is 08:00, in UTC; the last is 24:00");

/** Days of the week and a span of the day, in UTC. A span that ends before it begins goes on past midnight. */
export const NetworkWindow = z.strictObject({
  days: z
    .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    .min(1)
    .max(7)
    .optional(),
  from: clock.optional(),
  until: clock.optional(),
});
export type NetworkWindow = z.infer<typeof NetworkWindow>;

export const NetworkRule = z.strictObject({
  name: z.string().min(1).max(64),
  verdict: z.enum(["allow", "block"]),
  direction: z.enum(["out", "in"]).default("out"),
  protocol: z.enum(["tcp", "udp", "icmp", "any"]).default("any"),
  /** Address or prefix of the far side; absent: any. */
  to: NetworkAddress.optional(),
  /** More of them: the rule matches any of `to`, `addresses` and `host`. */
  addresses: z.array(NetworkAddress).min(1).max(256).optional(),
  /** The far side by name. dom0 resolves it, never the guest (docs/firewall.md). */
  host: HostName.optional(),
  ports: z.array(portRange).max(64).optional(),
  /** When the rule holds; absent: always. */
  during: z.array(NetworkWindow).min(1).max(16).optional(),
});
export type NetworkRule = z.infer<typeof NetworkRule>;

export const NetworkSection = z.strictObject({
  mode: Mode.default("enforce"),
  otherwise: z.enum(["allow", "block"]).default("block"),
  rules: z.array(NetworkRule).max(1_000).default([]),
});
export type NetworkSection = z.infer<typeof NetworkSection>;
