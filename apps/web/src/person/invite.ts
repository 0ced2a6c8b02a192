/** What may be typed where people are added. */
import { Name } from "@sallyport/shared/base/name.ts";
import { z } from "zod";
import { PASSWORD_CHARS_MIN } from "./password.ts";
import { ROLES } from "./role.ts";

const name = Name(128);
const email = z.email("an e-mail address").max(254).toLowerCase();
const code = z.string().min(10).max(64);

export const Invite = z.object({ email, name, role: z.enum(ROLES) });
export type Invite = z.infer<typeof Invite>;

export const InviteCode = z.object({ code });
export type InviteCode = z.infer<typeof InviteCode>;

/** `name` and `email` are the person's own to give only where the invitation named none (the first owner). */
export const Join = z.object({
  code,
  name,
  email,
  password: z.string().min(PASSWORD_CHARS_MIN, `at least ${PASSWORD_CHARS_MIN} characters`).max(256),
});
export type Join = z.infer<typeof Join>;
