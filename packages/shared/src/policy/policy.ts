/** The policy document: one per group; its revision is the sha256 of its canonical bytes. */
import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import type { PolicyDigest } from "../base/ids.ts";
import { AgentSection } from "./agent.ts";
import { DiskSection } from "./disk.ts";
import { IdsSection } from "./ids.ts";
import { LogSection } from "./log.ts";
import { NetworkSection } from "./network.ts";
import { UsbSection } from "./usb.ts";

export const POLICY_VERSION = 1;

/** An absent section means its defaults, which are the strict ones. */
export const Policy = z.strictObject({
  version: z.literal(POLICY_VERSION).default(POLICY_VERSION),
  usb: UsbSection.prefault({}),
  network: NetworkSection.prefault({}),
  ids: IdsSection.prefault({}),
  log: LogSection.prefault({}),
  disk: DiskSection.prefault({}),
  agent: AgentSection.prefault({}),
});
export type Policy = z.infer<typeof Policy>;

export const SECTIONS = ["usb", "network", "ids", "log", "disk", "agent"] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Content address over the whole document, defaults filled in: what an agent compares, wherever the text came from. */
export const policyDigest = (hash: Hash, policy: Policy): PolicyDigest =>
  toHex(hash(canonicalBytes(policy))) as PolicyDigest;

/** The same over a document as a statement carries it: signed once and read for years, so a field that a later version
 *  adds must not change what its digest is over. @throws where it is no JSON */
export const carriedDigest = (hash: Hash, carried: unknown): PolicyDigest =>
  toHex(hash(canonicalBytes(carried as Policy))) as PolicyDigest;

/** The JSON Schema editors validate by (draft 2020-12), of what a person may write. */
export const policyJsonSchema = (): Record<string, unknown> => ({
  title: "Sallyport policy",
  ...z.toJSONSchema(Policy, { io: "input", target: "draft-2020-12" }),
});
