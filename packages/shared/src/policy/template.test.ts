import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readPolicy } from "./document.ts";
import { Policy, policyDigest } from "./policy.ts";
import { POLICY_TEMPLATE } from "./template.ts";

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

describe("the template", () => {
  it("says the defaults, no more and no less: it has their digest", () => {
    const read = readPolicy(POLICY_TEMPLATE);
    if (!read.ok) throw new Error(JSON.stringify(read.faults));
    expect(policyDigest(hash, read.policy)).toBe(policyDigest(hash, Policy.parse({})));
  });
});
