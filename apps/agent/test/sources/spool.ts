/** A real spool in a folder, with a key of its own, and the outlet of a source over it. */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { LogSection } from "@sallyport/shared/policy/log.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { ed25519Signer } from "../../src/dom0/crypto.ts";
import type { Outlet } from "../../src/sources/source.ts";
import { Intake } from "../../src/spool/intake.ts";
import { openSpool } from "../../src/spool/open.ts";

const WORKSTATION = "6f1d3c52-8a7e-4b7e-9c7d-0123456789ab" as WorkstationId;

/** `limits`: other than the default policy's. */
export function openHere(state: string, workstation = WORKSTATION, limits: Partial<LogSection> = {}) {
  mkdirSync(state, { recursive: true });
  const identity = {
    workstation,
    signer: ed25519Signer(String(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }))),
    session: "0b7c9a52-8a7e-4b7e-9c7d-0123456789ab" as SessionId,
    agentVersion: "0",
    hostname: "dom0",
  };
  const { log, agent } = Policy.parse({ log: limits });
  const spool = openSpool(state, identity, Date.now, agent.spoolBytesMax, (_, why) => {
    throw new Error(why);
  });
  const onTrouble = (error: Error) => {
    throw error;
  };
  const intake = new Intake({ spool, log: () => log, now: Date.now, monotonic: () => performance.now(), onTrouble });
  const outlet: Outlet = {
    emit: intake.emit,
    admits: intake.admits,
    position: (name) => spool.position(name),
    settings: () => ({ log, agent }),
    state: () => {},
  };
  return { spool, intake, outlet };
}
