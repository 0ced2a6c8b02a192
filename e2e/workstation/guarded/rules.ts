/** The policy that every promise stands on, and what it names that the console has: the detector's rules and the scanner's
 *  definitions. */
import { createHash } from "node:crypto";
import { VIRUS } from "./sticks.ts";

export const MARKER = "sallyport-marker-of-the-tests";

/** As dom0/etc/xen/guests has them. */
export const GUESTS = { primary: "10.77.0.2", second: "10.77.0.3" } as const;

const hex = (text: string) => Buffer.from(text).toString("hex");
/** Files that a person adds to the console, by name. */
export const ARTIFACTS = {
  "tests.rules": `alert tcp any any -> any 2323 (msg:"SALLYPORT marker of the tests"; content:"${MARKER}"; sid:9000001; rev:1;)\n`,
  "tests.ndb": `Sallyport.Test:0:*:${hex(VIRUS)}\n`,
};
export const sumOf = (name: keyof typeof ARTIFACTS) => createHash("sha256").update(ARTIFACTS[name]).digest("hex");

/** The tests' own shell in the guests is let through by every policy; the test's volume has no recovery key. */
const RULES = [
  { name: "the tests' shell", verdict: "allow", direction: "in", protocol: "tcp", ports: ["2323"] },
  { name: "the second's shell", verdict: "allow", protocol: "tcp", to: GUESTS.second, ports: ["2323"] },
  { name: "no telnet", verdict: "block", protocol: "tcp", ports: ["23"] },
];
export const USB = { definitions: [{ name: "tests.ndb", sha256: sumOf("tests.ndb") }] };
export const BASE = {
  ids: { rules: sumOf("tests.rules") },
  usb: USB,
  disk: { recoveryKey: false },
  network: { otherwise: "block", rules: RULES },
};
