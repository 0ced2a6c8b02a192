/** What every hop says of itself → the report, not yet signed. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { SessionId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import type { InForce } from "../policy/believe.ts";
import type { PolicyKeeper } from "../policy/policy.ts";
import type { Outcomes } from "../reconcile/reconcile.ts";
import type { Spool } from "../spool/spool.ts";
import type { UplinkState } from "../uplink/uplink.ts";
import { overlayStates } from "./overlays.ts";

export type GatherParts = {
  self: Pick<Reported, "agentVersion" | "hostname" | "guests"> & { workstation: WorkstationId; session: SessionId };
  spool: Pick<Spool, "trail" | "size" | "root" | "standing">;
  policy: Pick<PolicyKeeper, "group" | "floor" | "refused" | "signers" | "overlays">;
  uplink: () => UplinkState;
  sources: () => Reported["sources"];
  /** Why the disk takes nothing, or not all of the policy, of the journal of commands or of what the console wants, and why
   *  an overlay was not asked for. */
  refused: () => Record<"spool" | "policy" | "commands" | "desired" | "overlay", string | undefined>;
  layout: () => HypervisorLayout | undefined;
  certificateNotAfter: () => string;
  now: () => number;
};

const REASON_CHARS_MAX = 512;

/** `inForce` is what the outcomes are of: one that came meanwhile is not in force before it was reconciled. */
export function gather(parts: GatherParts, inForce: InForce | undefined, outcomes: Outcomes): Reported {
  const { spool, policy } = parts;
  const layout = parts.layout();
  return {
    ...parts.self,
    at: new Date(parts.now()).toISOString(),
    group: policy.group,
    trail: { id: spool.trail, size: spool.size, root: toHex(spool.root) as Sha256 },
    spool: spool.standing(),
    policy: inForce
      ? {
          digest: inForce.digest as NonNullable<Reported["policy"]>["digest"],
          order: inForce.order,
          taken: inForce.taken,
          old: inForce.notAfter !== undefined && policy.floor() >= Date.parse(inForce.notAfter),
        }
      : null,
    sections: outcomes,
    ...(policy.refused ? { refused: policy.refused } : {}),
    signers: policy.signers as Reported["signers"],
    sources: { ...parts.sources(), ...troubles(parts) },
    ...(layout ? { layout } : {}),
    certificateNotAfter: parts.certificateNotAfter(),
    overlays: overlayStates(policy.overlays(), outcomes),
  };
}

/** Hops that are no source stand among them while something is wrong with them. */
function troubles({ uplink, refused }: GatherParts): Reported["sources"] {
  const state = uplink();
  const { spool, policy, commands, desired, overlay } = refused();
  const unkept = [
    ...(policy !== undefined ? [`what is believed of the policy (${policy})`] : []),
    ...(commands !== undefined ? [`the journal of commands (${commands})`] : []),
  ];
  const orders = [
    ...(unkept.length > 0
      ? [`what holds already is not all on disk yet, and the machine's end would lose it: ${unkept.join(", ")}`]
      : []),
    ...(desired !== undefined ? [`what the console wants is not all taken before the disk has room (${desired})`] : []),
  ];
  const failed = (reason: string) => ({ state: "failed" as const, reason: reason.slice(0, REASON_CHARS_MAX) });
  return {
    ...(state.state === "alarm" && { uplink: failed(state.why) }),
    ...(overlay !== undefined && { overlay: failed(overlay) }),
    ...(orders.length > 0 && { orders: failed(orders.join("; ")) }),
    ...(spool !== undefined && { spool: failed(`the disk takes nothing: ${spool}`) }),
  };
}
