/** What a workstation can be told to do, and by whom. One table; a verb that is not here cannot be sent. */
import { z } from "zod";

/** Grows at the end only. */
export const Verb = z.enum([
  "isolate",
  "release",
  "pause",
  "resume",
  "destroy-guest",
  "rescan",
  "diagnostics",
  "wipe",
  "start-guest",
]);
export type Verb = z.infer<typeof Verb>;
export const VERBS = Verb.options;

export type VerbRule = {
  /** `console`: its key alone is enough. `threshold`: as many keys as the group's policy needs. */
  signers: "console" | "threshold";
  /** The least role of the person who asks for it. */
  role: "responder" | "admin";
  /** What takes it back. Without one, nothing does; `isolate` ends by itself as well. */
  inverse?: Verb;
  isDestructive: boolean;
  /** What it will do, for the person who is about to do it. */
  words: string;
};

/** The console's key alone may only take away for a while, or look. What gives back or destroys needs the threshold:
 *  a stolen console can make noise, not let a seized machine go or wipe one. */
export const VERB_RULES: Record<Verb, VerbRule> = {
  isolate: {
    signers: "console",
    role: "responder",
    inverse: "release",
    isDestructive: false,
    words:
      "Cuts the guests' network at once; the agent's own way to the broker stays. Ends by itself at the time given.",
  },
  release: {
    signers: "threshold",
    role: "responder",
    inverse: "isolate",
    isDestructive: false,
    words: "Ends the isolation now; the network section of the policy holds again.",
  },
  pause: {
    signers: "threshold",
    role: "responder",
    inverse: "resume",
    isDestructive: false,
    words:
      "Stops the guest where it stands, with all that is in its memory. The person at the machine sees a frozen screen.",
  },
  resume: {
    signers: "threshold",
    role: "responder",
    inverse: "pause",
    isDestructive: false,
    words: "Lets a paused guest go on.",
  },
  "destroy-guest": {
    signers: "threshold",
    role: "admin",
    inverse: "start-guest",
    isDestructive: true,
    words: "Ends the guest as by pulling its plug. What was not on its disk is lost.",
  },
  rescan: {
    signers: "console",
    role: "responder",
    isDestructive: false,
    words: "Scans the images that dom0 holds again, with the definitions of now.",
  },
  diagnostics: {
    signers: "console",
    role: "responder",
    isDestructive: false,
    words:
      "Gathers versions, Xen's and the kernel's last lines, the agent's journal and the firewall's rules as one record.",
  },
  wipe: {
    signers: "threshold",
    role: "admin",
    isDestructive: true,
    words:
      "Destroys the keys of the volume, its header, every copy of it that dom0 has, and its sealed recovery keys in dom0 and the console. Nothing brings the data back.",
  },
  "start-guest": {
    signers: "threshold",
    role: "responder",
    inverse: "destroy-guest",
    isDestructive: false,
    words: "Starts a guest that does not run, from the configuration file that dom0 has for it.",
  },
};
