import { createHash } from "node:crypto";
import type { Hash } from "@sallyport/shared/base/crypto.ts";

export const sha256: Hash = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());
