/** The deny overlay: files, devices and addresses that are blocked now, whatever the policy says, each until its own end.
 *  It can only deny: nothing in it, and nothing that is missing from it, lets pass what the policy does not. Pure. */
import { z } from "zod";
import { Sha256 } from "../base/ids.ts";
import { type DeviceFacts, fits } from "../usb/rules/match.ts";
import { parseRules } from "../usb/rules/parse.ts";
import type { AttributeName, Rule } from "../usb/rules/rule.ts";
import type { ScanFacts } from "../usb/scan.ts";
import { rangeOf } from "./network/address.ts";
import { HostName, NetworkAddress } from "./network.ts";

const HOUR_MS = 3_600_000;
/** The console's key alone makes one: it may not stand for ever. */
export const OVERLAY_HOURS_MAX = 30 * 24;
export const OVERLAY_HOURS_DEFAULT = 24;
/** Of one audience at once: what a record of it can hold. A longer list is a policy's. */
export const OVERLAY_ENTRIES_MAX = 128;
/** What is wider than this is no address but a network: that is what isolation and policy are for. */
export const PREFIX_MIN = { 4: 8, 6: 16 } as const;

/** Names an entry in counters, in records of drops and on pages. */
export const DenyId = z.string().regex(/^[0-9a-f]{12}$/, "an entry's id is 12 hex digits");
export type DenyId = z.infer<typeof DenyId>;

/** What a rule must say of a device, so that it speaks of devices and not of all of them. */
const TELLING: readonly AttributeName[] = ["id", "serial", "hash"];
const NARROWING: readonly AttributeName[] = [...TELLING, "name", "with-interface"];

/** Why a text is no rule that an overlay may hold; nothing where it is one. */
function deviceFault(text: string): string | undefined {
  const parsed = parseRules(text);
  if (!parsed.ok) return `column ${parsed.error.column}: ${parsed.error.message}`;
  const [rule, ...more] = parsed.value;
  if (!rule || more.length > 0) return "one rule, in USBGuard's language";
  if (rule.target !== "block") return `a deny rule begins with block, not ${rule.target}`;
  if (rule.conditions !== null) return "a deny rule has no conditions: it holds until it ends";
  const names = Object.keys(rule.attributes) as AttributeName[];
  const odd = names.find((name) => !NARROWING.includes(name));
  if (odd) return `a deny rule names ${NARROWING.join(", ")}, not ${odd}`;
  const open = names.find((name) => !["equals", "one-of"].includes(rule.attributes[name]!.operator));
  if (open) return `${open} is one value or one-of { … } in a deny rule`;
  const telling = names.some(
    (name) => TELLING.includes(name) && !rule.attributes[name]!.values.some((value) => value === "" || value === "*:*"),
  );
  return telling ? undefined : "a deny rule names an id, a serial or a hash: else it would block every device";
}

/** `block id 0951:1666 serial "60A4"` */
export const DenyRule = z
  .string()
  .max(1024)
  .superRefine((text, context) => {
    const fault = deviceFault(text);
    if (fault) context.addIssue({ code: "custom", message: fault, input: text });
  });

function addressFault(text: string): string | undefined {
  const { family } = rangeOf(text);
  const length = text.includes("/") ? Number(text.split("/")[1]) : 128;
  return length < PREFIX_MIN[family]
    ? `${text} is wider than /${PREFIX_MIN[family]}: isolate the workstations, or publish a policy`
    : undefined;
}

export const Denied = z.discriminatedUnion("kind", [
  /** A file's content, or a whole stick's image. */
  z.object({ kind: z.literal("file"), sha256: Sha256 }),
  z.object({ kind: z.literal("device"), rule: DenyRule }),
  /** The far side of a guest's traffic, either way; `port` is the far side's. By address, prefix or name. */
  z
    .object({
      kind: z.literal("address"),
      to: NetworkAddress.superRefine((text, context) => {
        const fault = addressFault(text);
        if (fault) context.addIssue({ code: "custom", message: fault, input: text });
      }).optional(),
      host: HostName.optional(),
      protocol: z.enum(["tcp", "udp", "any"]).default("any"),
      port: z.int().min(1).max(65_535).optional(),
    })
    .refine((each) => (each.to === undefined) !== (each.host === undefined), "an address or a name, one of both"),
]);
export type Denied = z.infer<typeof Denied>;
export type DeniedKind = Denied["kind"];

export const OverlayEntry = z.object({
  id: DenyId,
  until: z.iso.datetime(),
  reason: z.string().max(256),
  what: Denied,
});
export type OverlayEntry = z.infer<typeof OverlayEntry>;

/** What an `overlay` statement carries: all that stands for its audience. A newer one takes the place of the one before,
 *  so that what is not in it any more is lifted. */
export const CarriedOverlay = z.object({ entries: z.array(OverlayEntry).max(OVERLAY_ENTRIES_MAX) });
export type CarriedOverlay = z.infer<typeof CarriedOverlay>;

/** What a well-signed overlay may still have wrong with it: it ends, soon enough, and no entry outlives it. */
export function overlayFault(
  statement: { issued: string; notAfter?: string | undefined },
  { entries }: CarriedOverlay,
): string | undefined {
  const { issued, notAfter } = statement;
  if (notAfter === undefined) return "an overlay that never ends";
  const end = Date.parse(notAfter);
  if (end - Date.parse(issued) > OVERLAY_HOURS_MAX * HOUR_MS)
    return `an overlay of more than ${OVERLAY_HOURS_MAX / 24} days`;
  const late = entries.find(({ until }) => Date.parse(until) > end);
  if (late) return `its entry ${late.id} ends after the overlay itself`;
  if (new Set(entries.map(({ id }) => id)).size < entries.length) return "two of its entries have one id";
  return undefined;
}

/** A block ends by the latest clock: neither a clock set forward nor a console that is away ends it early. */
export const stillDenied = (
  entries: readonly OverlayEntry[],
  { now, floor }: { now: number; floor: number },
): OverlayEntry[] => entries.filter(({ until }) => Math.min(now, floor) < Date.parse(until));

export function deniedDevice(entries: readonly OverlayEntry[], device: DeviceFacts): OverlayEntry | undefined {
  return entries.find(({ what }) => what.kind === "device" && fits(ruleOf(what.rule), device));
}

/** The first file, in order of the manifest, or the whole image, that is denied. */
export function deniedFile(
  entries: readonly OverlayEntry[],
  { manifest, image }: Pick<ScanFacts, "manifest" | "image">,
): { entry: OverlayEntry; file: ScanFacts["manifest"][number] | undefined } | undefined {
  const byHash = deniedHashes(entries);
  if (byHash.size === 0) return undefined;
  const whole = image && byHash.get(image.sha256);
  if (whole) return { entry: whole, file: undefined };
  for (const file of manifest) {
    const entry = file.sha256 === null ? undefined : byHash.get(file.sha256);
    if (entry) return { entry, file };
  }
  return undefined;
}

export const deniedHashes = (entries: readonly OverlayEntry[]): ReadonlyMap<string, OverlayEntry> =>
  new Map(entries.flatMap((entry) => (entry.what.kind === "file" ? [[entry.what.sha256, entry] as const] : [])));

/** Those of the firewall, in order. */
export const deniedAddresses = (entries: readonly OverlayEntry[]): DeniedAddress[] =>
  entries.flatMap(({ id, what }) => {
    if (what.kind !== "address") return [];
    const { kind: _, ...far } = what;
    return [{ id, ...far }];
  });
export type DeniedAddress = Omit<Extract<Denied, { kind: "address" }>, "kind"> & { id: DenyId };

/** The entry was read with its rule; one that cannot be read now is our own bug. @throws Error */
function ruleOf(text: string): Rule {
  const parsed = parseRules(text);
  if (!parsed.ok || !parsed.value[0]) throw new Error(`an overlay with an unreadable device rule: ${text}`);
  return parsed.value[0];
}

/** In a few words, as `sha256 …`, `block id …`, `192.0.2.7 tcp port 443`. */
export function deniedWords(what: Denied): string {
  if (what.kind === "file") return `sha256 ${what.sha256}`;
  if (what.kind === "device") return what.rule;
  const far = what.to ?? what.host!;
  const protocol = what.protocol === "any" ? "" : ` ${what.protocol}`;
  return `${far}${protocol}${what.port === undefined ? "" : ` port ${what.port}`}`;
}
