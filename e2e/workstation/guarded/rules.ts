/** The policy that every promise stands on, and the detector's rule set that it names. */
import { createHash } from "node:crypto";

export const MARKER = "sallyport-marker-of-the-tests";

export const DETECTOR_RULES = `alert tcp any any -> any 2323 (msg:"SALLYPORT marker of the tests"; content:"${MARKER}"; sid:9000001; rev:1;)\n`;
export const DETECTOR_RULES_SHA256 = createHash("sha256").update(DETECTOR_RULES).digest("hex");

/** The tests' own shell in the guests is let through by every policy; the test's volume has no recovery key. */
export const SHELL_RULE = {
  ...{ name: "the tests' shell", verdict: "allow", direction: "in", protocol: "tcp", ports: ["2323"] },
};
export const BASE = { ids: { rules: DETECTOR_RULES_SHA256 }, disk: { recoveryKey: false } };
