/** A well-signed policy that this version cannot read → why, in words that say what to do. Pure.
 *  (docs/decisions/2026-11-24-policy-of-a-newer-console.md) */
import { POLICY_VERSION } from "@sallyport/shared/policy/policy.ts";
import { z } from "zod";

const NAMED_MAX = 8;

/** `carried` is the policy that `error` is about. */
export function unreadable(carried: unknown, error: z.ZodError): string {
  const version = (carried as { version?: unknown } | null)?.version;
  if (typeof version === "number" && version > POLICY_VERSION)
    return advice(`it is of version ${version}, this agent reads ${POLICY_VERSION}`);
  const unknown = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key].map(String).join(".")) : [],
  );
  if (unknown.length === 0) return z.prettifyError(error);
  const more = unknown.length > NAMED_MAX ? ` and ${unknown.length - NAMED_MAX} more` : "";
  return advice(`it sets ${unknown.slice(0, NAMED_MAX).join(", ")}${more}, which this agent does not know`);
}

const advice = (what: string): string =>
  `${what}: upgrade the agent, or publish a policy without that; the last good policy stays in force`;
