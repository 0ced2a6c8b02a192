/** Every kind of record and the shape of its body. Grows, never changes: a kind that is not here is stored and marked. */
import { z } from "zod";
import { DiskState } from "../disk/state.ts";
import { ScanBody } from "../usb/scan.ts";
import {
  AgentGap,
  AgentHealth,
  AgentMalformed,
  CommandDone,
  PolicyApplied,
  PolicyDrift,
  PolicyOverlay,
  PolicyRefused,
  TrailOpened,
} from "./agent.ts";
import { CommandDiagnostics, CommandReceived } from "./command.ts";
import { ConsoleAct, PersonAct } from "./console.ts";
import { DiskRecovery, DiskWiped } from "./disk.ts";
import { GuestLog, GuestSuppressed } from "./guest.ts";
import { HypervisorLayout } from "./hypervisor.ts";
import { IdsAlert, IdsEvent, NetDrop } from "./ids.ts";
import { UsbGateBody, UsbScannerBody } from "./usb.ts";

/** A kind's name: two words, `noun.what`. */
export const Kind = z
  .string()
  .regex(/^[a-z]{2,16}\.[a-z-]{2,32}$/, "a kind reads noun.what")
  .brand<"Kind">();
export type Kind = z.infer<typeof Kind>;

/** Bodies of the kinds that the gate and the disk deepen later: any object, so that what comes is kept and shown. */
const open = z.record(z.string(), z.json());

export const BODIES = {
  "guest.log": GuestLog,
  "guest.suppressed": GuestSuppressed,
  "ids.alert": IdsAlert,
  "ids.event": IdsEvent,
  "net.drop": NetDrop,
  "trail.opened": TrailOpened,
  "usb.device": open,
  "usb.step": open,
  "usb.scan": ScanBody,
  "usb.verdict": open,
  "usb.attach": open,
  "usb.removed": open,
  "usb.request": open,
  "usb.scanner": UsbScannerBody,
  "usb.gate": UsbGateBody,
  "disk.state": DiskState,
  "disk.recovery": DiskRecovery,
  "disk.wiped": DiskWiped,
  "hypervisor.layout": HypervisorLayout,
  "policy.applied": PolicyApplied,
  "policy.refused": PolicyRefused,
  "policy.overlay": PolicyOverlay,
  "policy.drift": PolicyDrift,
  "command.received": CommandReceived,
  "command.done": CommandDone,
  "command.diagnostics": CommandDiagnostics,
  "agent.health": AgentHealth,
  "agent.gap": AgentGap,
  "agent.malformed": AgentMalformed,
} as const;

export type KnownKind = keyof typeof BODIES;
export const KNOWN_KINDS = Object.keys(BODIES) as KnownKind[];

/** The schema of a kind's body, or nothing for a kind this version does not know. */
export function bodySchema(kind: string): z.ZodType | undefined {
  if (kind.startsWith("person.")) return PersonAct;
  if (kind.startsWith("console.")) return ConsoleAct;
  return Object.hasOwn(BODIES, kind) ? BODIES[kind as KnownKind] : undefined;
}

/** Which contents give way first when a spool is full: guest logs, then what can be seen elsewhere; never the rest
 *  while any of these remain. */
export function givesWay(kind: string): 0 | 1 | 2 {
  if (kind === "guest.log") return 0;
  if (kind === "ids.event" || kind === "net.drop" || kind === "agent.health" || kind === "agent.malformed") return 1;
  return 2;
}
