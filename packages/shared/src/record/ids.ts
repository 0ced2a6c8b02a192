/** Kinds from Suricata's EVE output. Numbers beyond 2^53 are strings. */
import { z } from "zod";

const endpoint = {
  source: z.string().max(64).optional(),
  sourcePort: z.int().min(0).max(65535).optional(),
  destination: z.string().max(64).optional(),
  destinationPort: z.int().min(0).max(65535).optional(),
  protocol: z.string().max(32).optional(),
};

/** `ids.alert`. `event` is the EVE object itself, its big numbers as strings. */
export const IdsAlert = z.object({
  ...endpoint,
  flow: z.string().max(32).optional(),
  eventTime: z.string().max(64),
  signature: z.string(),
  signatureId: z.int().min(0),
  generator: z.int().min(0).optional(),
  revision: z.int().min(0).optional(),
  category: z.string().optional(),
  action: z.string().max(32).optional(),
  event: z.record(z.string(), z.json()),
});
export type IdsAlert = z.infer<typeof IdsAlert>;

/** `ids.event`: every other EVE type (flow, dns, http, tls, anomaly, fileinfo, stats …). */
export const IdsEvent = z.object({
  ...endpoint,
  flow: z.string().max(32).optional(),
  eventTime: z.string().max(64),
  type: z.string().max(64),
  event: z.record(z.string(), z.json()),
});
export type IdsEvent = z.infer<typeof IdsEvent>;

/** `net.drop`: a packet dom0 dropped, by NFLOG through ulogd2. `event` is ulogd2's own object. */
export const NetDrop = z.object({
  ...endpoint,
  in: z.string().max(64).optional(),
  out: z.string().max(64).optional(),
  rule: z.string().max(128).optional(),
  bytes: z.int().min(0).optional(),
  event: z.record(z.string(), z.json()),
});
export type NetDrop = z.infer<typeof NetDrop>;
