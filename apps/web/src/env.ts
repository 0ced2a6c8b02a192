/** The next process's environment, decoded once. What is missing is told in one sentence each. */
import { issueLine } from "@sallyport/shared/base/issue.ts";
import { z } from "zod";

const port = z.coerce.number().int().min(1).max(65_535);

export const Env = z.object({
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, "a postgresql:// address"),
  /** The state folder; its `keys/` holds what this process signs with. */
  SALLYPORT_STATE: z.string().min(1),
  /** Where people reach the console. Absent: whatever host they asked for (one machine, a trial). */
  SALLYPORT_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Where agents reach the listener. Absent: the host of the console, at `SALLYPORT_LISTEN_PORT`. */
  SALLYPORT_LISTEN_URL: z.url({ protocol: /^https$/ }).optional(),
  SALLYPORT_LISTEN_PORT: port.default(8443),
  /** Addresses and ranges of the proxies in front; read at the start by instrumentation.ts. */
  SALLYPORT_TRUSTED_PROXIES: z.string().optional(),
});
export type Env = z.infer<typeof Env>;

/** @throws a sentence that names each variable that is missing or wrong */
export function readEnv(untrusted: Record<string, string | undefined>): Env {
  const env = Env.safeParse(untrusted);
  if (env.success) return env.data;
  const faults = env.error.issues.map(issueLine);
  throw new Error(`The console cannot start. Set these in its environment (docs/operations.md): ${faults.join("; ")}`);
}
