/** The worker's environment, read once. */
import { issueLine } from "@sallyport/shared/base/issue.ts";
import { z } from "zod";

const Env = z.object({
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, "a postgresql:// address"),
  MQTT_URL: z.url({ protocol: /^mqtts?$/ }),
  SALLYPORT_STATE: z.string().min(1),
  /** 0 takes any free port. */
  SALLYPORT_LISTEN_PORT: z.coerce.number().int().min(0).max(65_535).default(8443),
  /** Absent: every address of this machine. */
  SALLYPORT_BIND: z.string().min(1).optional(),
  /** Where agents reach the broker, if not as the worker does. */
  SALLYPORT_MQTT_URL: z.url({ protocol: /^mqtts$/ }).optional(),
  /** Where people reach the console: in the links of alerts that are sent. */
  SALLYPORT_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Addresses and ranges beside the public ones to which alerts may be sent. */
  SALLYPORT_ALERT_NETWORKS: z.string().optional(),
  SALLYPORT_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
export type Env = z.infer<typeof Env>;

export function readWorkerEnv(untrusted: Record<string, string | undefined>): Env {
  const env = Env.safeParse(untrusted);
  if (env.success) return env.data;
  const faults = env.error.issues.map(issueLine);
  throw new Error(`The worker cannot start. Set these in its environment (docs/operations.md): ${faults.join("; ")}`);
}
