/** A spool that is opened again after each kill, and its records checked as a console would. */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readContent } from "@sallyport/shared/record/content.ts";
import { ed25519Signer } from "../../src/dom0/crypto.ts";
import { openSpool } from "../../src/spool/open.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { WORKSTATION } from "./gate.ts";

export function openKilled(root: string): Spool {
  const state = join(root, "state");
  mkdirSync(state, { recursive: true });
  const path = join(state, "trail.key");
  if (!existsSync(path))
    writeFileSync(path, generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }));
  const signer = ed25519Signer(createPrivateKey(readFileSync(path)).export({ format: "pem", type: "pkcs8" }) as string);
  const identity = {
    workstation: WORKSTATION as WorkstationId,
    signer,
    session: "0d1e2f3a-4b5c-4d6e-8f7a-8b9c0d1e2f3a" as SessionId,
    agentVersion: "0",
    hostname: "test",
  };
  return openSpool(state, identity, Date.now, 1024 ** 3, (_aside, why) => {
    throw new Error(why);
  });
}

/** Kinds and texts in order; throws where an index is missing. */
export function recordsOf(spool: Spool): { kind: string; text: string; body: Record<string, unknown> }[] {
  const { records, end } = spool.read(0, 10_000, 1024 ** 3);
  if (end !== spool.size) throw new Error(`${end} of ${spool.size} records can be read`);
  return records.map(({ entry, content }, index) => {
    const { kind, index: own } = JSON.parse(entry) as { kind: string; index: number };
    if (own !== index) throw new Error(`record ${index} says it is ${own}`);
    const read = readContent(Buffer.from(content!));
    if (!read.ok) throw new Error(read.error);
    return { kind, ...read.value };
  });
}
