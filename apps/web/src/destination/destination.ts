/** Where alerts are sent: what an admin gives the console, and what the console keeps of it. Pure. */
import { Name } from "@sallyport/shared/base/name.ts";
import { Severity } from "@sallyport/shared/record/severity.ts";
import { z } from "zod";

export const KINDS = ["webhook", "syslog"] as const;
export type DestinationKind = (typeof KINDS)[number];

/** A site has a few; each is asked for at every alert that is raised. */
export const DESTINATIONS_MAX = 20;
const URL_CHARS_MAX = 2_000;
/** A chain of several certificates. */
const CA_CHARS_MAX = 32_768;
const NAME_CHARS_MAX = 64;
const ALERT_KINDS_MAX = 40;

const Ca = z
  .string()
  .trim()
  .max(CA_CHARS_MAX, "certificates of at most 32 KiB")
  .regex(/^-----BEGIN CERTIFICATE-----\r?\n[\s\S]*-----END CERTIFICATE-----$/, "certificates as PEM");

/** RFC 3986's host as people write it: a name, an IPv4 address, or an IPv6 one without brackets. */
const Host = z
  .string()
  .trim()
  .min(1)
  .max(253)
  .regex(/^[0-9A-Za-z._:-]+$/, "a name or an address, without port and without brackets");

const Webhook = z.object({
  kind: z.literal("webhook"),
  url: z
    .string()
    .trim()
    .max(URL_CHARS_MAX)
    .refine((text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      return url?.protocol === "https:" && url.username === "" && url.password === "" && url.hash === "";
    }, "an https:// address, without a name and a password in it"),
  ca: Ca.optional(),
});
const Syslog = z
  .object({
    kind: z.literal("syslog"),
    host: Host,
    port: z.int().min(1).max(65_535),
    /** RFC 5425; `tcp` is in the clear, for a relay on this machine or its network. */
    transport: z.enum(["tls", "tcp"]),
    ca: Ca.optional(),
  })
  .refine(({ transport, ca }) => transport === "tls" || ca === undefined, "certificates are TLS's");

/** Where to, as it is given. */
export const Given = z.discriminatedUnion("kind", [Webhook, Syslog]);
export type Given = z.infer<typeof Given>;

/** As it is kept, sealed. `secret` is Standard Webhooks' `whsec_…`. */
export const Target = z.discriminatedUnion("kind", [Webhook.extend({ secret: z.string().min(1) }), Syslog]);
export type Target = z.infer<typeof Target>;

/** Which alerts: this severity or worse, of these kinds; none named is every kind. */
export const Wanted = z.object({
  name: Name(NAME_CHARS_MAX),
  severity: Severity,
  kinds: z
    .array(z.string().regex(/^[a-z][a-z0-9.-]{0,63}$/, "kinds as the Alerts page names them, such as usb.scan"))
    .max(ALERT_KINDS_MAX)
    .transform((kinds) => [...new Set(kinds)].sort()),
});
export type Wanted = z.infer<typeof Wanted>;

/** What the pages and the trail show of a target. A webhook's path is as secret as a password where chats are concerned. */
export function shown(given: Given): string {
  switch (given.kind) {
    case "webhook":
      return `https://${new URL(given.url).host}/…`;
    case "syslog": {
      const host = given.host.includes(":") ? `[${given.host}]` : given.host;
      return `${host}:${given.port} ${given.transport === "tls" ? "TLS" : "TCP, in the clear"}`;
    }
  }
}

/** Failing for so long is told to people, as an alert and on the overview. */
export const FAILING_MS = 600_000;
