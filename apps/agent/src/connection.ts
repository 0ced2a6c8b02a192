/** Wires the connection to the console: the link to the broker, the uplink over it, what it says of this workstation's
 *  presence, and the certificate that it stands on. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { SessionId } from "@sallyport/shared/base/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Log } from "./dom0/log.ts";
import { notAfter } from "./enrol/enrol.ts";
import type { Enrolment } from "./enrol/folder.ts";
import { renewing } from "./enrol/renewing.ts";
import { type Credentials, Link } from "./link/link.ts";
import { Outage } from "./link/outage.ts";
import type { PolicyKeeper } from "./policy/policy.ts";
import type { Emit } from "./sources/source.ts";
import type { Spool } from "./spool/spool.ts";
import { Uplink, type UplinkState } from "./uplink/uplink.ts";
import { AGENT_VERSION } from "./version.ts";

export type ConnectionNeeds = {
  state: string;
  enrolment: Enrolment;
  session: SessionId;
  spool: Spool;
  policy: Pick<PolicyKeeper, "cas" | "consoleKeys" | "heard" | "desired" | "command">;
  windowBatches: () => number;
  lingerMs: () => number;
  emit: Emit;
  tell: (observation: Observation) => void;
  now: () => number;
  monotonic: () => number;
  log: Log;
};
export type ConnectionEvents = {
  connected: () => void;
  /** Once each time that it is lost, however many attempts fail. */
  lost: () => void;
  /** The certificate is another one. */
  renewed: () => void;
};
export type Connection = {
  link: Link;
  /** The workstation's own, as the listener and the broker want them now. */
  credentials: () => Credentials;
  /** How long the broker has been out of reach; 0 while it is not. */
  lostMs: () => number;
  /** By how much the console's clock is ahead of ours; not known before the first receipt. */
  skewMs: () => number | undefined;
  uplink: () => UplinkState;
  certificateNotAfter: () => string;
  run: (on: ConnectionEvents, signal: AbortSignal) => Promise<void>;
};

export function connection(needs: ConnectionNeeds): Connection {
  const { state, enrolment, session, spool, policy, windowBatches, lingerMs, emit, tell, now, monotonic, log } = needs;
  const { workstation, mqtt } = enrolment.facts;
  let { tls } = enrolment;
  let skewMs: number | undefined;
  const outage = new Outage(monotonic);
  const cas = () => [enrolment.ca, ...policy.cas];
  const credentials = () => ({ ...tls, cas: cas() });
  const presence = (what: "online" | "offline") =>
    JSON.stringify({ session, state: what, at: new Date(now()).toISOString(), agentVersion: AGENT_VERSION });
  const link = new Link({
    url: mqtt,
    workstation,
    clientId: session,
    credentials,
    will: () => presence("offline"),
    log,
  });
  const sayOnline = () => void link.publish("presence", presence("online"), true);
  const uplink = new Uplink({
    ...{ spool, session, workstation, windowBatches, lingerMs, tell, now, log },
    publish: (batch) => link.publish("batch", batch),
    askStand: sayOnline,
    consoleKeys: () => policy.consoleKeys.map(fromBase64),
    heard: (receipt) => {
      skewMs = Date.parse(receipt.time) - now();
      policy.heard(Date.parse(receipt.time));
    },
  });
  return {
    link,
    credentials,
    lostMs: () => outage.ms,
    skewMs: () => skewMs,
    uplink: () => uplink.state,
    certificateNotAfter: () => notAfter(tls.certificate),
    async run({ connected, lost, renewed }, signal) {
      await Promise.all([
        uplink.run(signal),
        renewing(
          {
            ...{ state, enrolment, cas, emit, now, log },
            tls: () => tls,
            renewed(next) {
              tls = next;
              link.reconnect();
              renewed();
            },
          },
          signal,
        ),
        link.run(
          {
            connected() {
              outage.connected();
              sayOnline();
              uplink.connected();
              connected();
            },
            disconnected() {
              if (outage.disconnected()) lost();
              uplink.disconnected();
            },
            message(channel, bytes) {
              if (channel === "receipt") uplink.receipt(bytes);
              else if (channel === "desired" || channel === "overlay") policy.desired(bytes, channel);
              else policy.command(bytes);
            },
          },
          signal,
        ),
      ]);
    },
  };
}
