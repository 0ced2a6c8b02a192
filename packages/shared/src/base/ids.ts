/** Branded ids, one append-only list: a policy digest never passes for a workstation id. */
import { z } from "zod";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const uuid = (what: string) => z.string().regex(UUID_V4, `${what} is a lower-case version 4 UUID`);

export const WorkstationId = uuid("a workstation id").brand<"WorkstationId">();
export type WorkstationId = z.infer<typeof WorkstationId>;

export const TrailId = uuid("a trail id").brand<"TrailId">();
export type TrailId = z.infer<typeof TrailId>;

export const GroupId = uuid("a group id").brand<"GroupId">();
export type GroupId = z.infer<typeof GroupId>;

/** One life of an agent process on one disk; two live ones on one key mean a cloned disk. */
export const SessionId = uuid("a session id").brand<"SessionId">();
export type SessionId = z.infer<typeof SessionId>;

/** Opaque: names nobody. dom0 stamps it from the way a line came; the guest's name is in the reported state. */
export const GuestId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "a guest id is 1 to 64 of a-z 0-9 . _ -")
  .brand<"GuestId">();
export type GuestId = z.infer<typeof GuestId>;

/** sha256 as 64 lower-case hex digits. */
export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "a sha256 is 64 lower-case hex digits")
  .brand<"Sha256">();
export type Sha256 = z.infer<typeof Sha256>;

/** Content address of a policy revision: sha256 of its canonical bytes. */
export const PolicyDigest = Sha256.brand<"PolicyDigest">();
export type PolicyDigest = z.infer<typeof PolicyDigest>;

/** One order to a workstation to do something, once. */
export const CommandId = uuid("a command id").brand<"CommandId">();
export type CommandId = z.infer<typeof CommandId>;

/** First 8 hex digits of sha256 over the raw Ed25519 public key: a name for people and look-ups, never a proof. */
export const KeyId = z
  .string()
  .regex(/^[0-9a-f]{8}$/, "a key id is 8 hex digits")
  .brand<"KeyId">();
export type KeyId = z.infer<typeof KeyId>;

/** UTC with milliseconds, always 24 characters, so that text order is time order. */
export const Time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "a time reads 2026-11-24T08:46:00.000Z")
  .refine((text) => !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text, "no such moment");
export type Time = z.infer<typeof Time>;

/** A count or place in a trail; a double holds each exactly. */
export const Index = z.int().min(0);
export type Index = z.infer<typeof Index>;
