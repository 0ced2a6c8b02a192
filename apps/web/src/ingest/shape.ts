/** Whether a body plainly has its kind's shape, for the kinds that come by the thousand: what zod says, in a tenth of its
 *  time. A `false` says nothing: zod is asked then, and has the word (a property test holds the two together). */
import { JSON_DEPTH_MAX } from "@sallyport/shared/base/canonical.ts";
import { GuestLog, GuestVia } from "@sallyport/shared/record/guest.ts";

type Members = Record<string, unknown>;
type Fits = (value: unknown) => boolean;

const text =
  (charactersMax: number): Fits =>
  (value) =>
    typeof value === "string" && value.length <= charactersMax;
const whole =
  (max: number): Fits =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
const oneOf = (options: readonly string[]): Fits => {
  const set = new Set<unknown>(options);
  return (value) => set.has(value);
};
const any = text(Number.POSITIVE_INFINITY);

const ENDPOINT: Record<string, Fits> = {
  source: text(64),
  sourcePort: whole(65_535),
  destination: text(64),
  destinationPort: whole(65_535),
  protocol: text(32),
};

/** By kind: what must be there, and what may be. A member that stands in neither is zod's to judge. */
const SHAPES: Record<string, { must: Record<string, Fits>; may: Record<string, Fits> }> = {
  "guest.log": {
    must: {
      via: oneOf(GuestVia.options),
      from: text(256),
      format: oneOf(GuestLog.shape.format.options),
      message: any,
    },
    may: {
      facility: whole(23),
      level: whole(7),
      claimedTime: text(64),
      claimedHost: text(256),
      app: text(256),
      process: text(128),
      messageId: text(128),
      raw: any,
    },
  },
  "ids.event": {
    must: { eventTime: text(64), type: text(64), event: isPlainObject },
    may: { ...ENDPOINT, flow: text(32) },
  },
  "net.drop": {
    must: { event: isPlainObject },
    may: { ...ENDPOINT, in: text(64), out: text(64), rule: text(128), bytes: whole(Number.MAX_SAFE_INTEGER) },
  },
};

/** `body` is fresh out of JSON.parse. */
export function plainlyFits(kind: string, body: object): boolean {
  const shape = Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined;
  if (!shape) return false;
  let found = 0;
  let wanted = 0;
  for (const _ in shape.must) wanted++;
  for (const key in body) {
    const must = Object.hasOwn(shape.must, key);
    const fits = must ? shape.must[key] : Object.hasOwn(shape.may, key) ? shape.may[key] : undefined;
    if (!fits?.((body as Members)[key])) return false;
    if (must) found++;
  }
  return found === wanted;
}

function isPlainObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isShallow(value, 1);
}

/** Not deeper than canonical JSON may be, and no number that JSON cannot say (1e999 parses, as infinity). */
export function isShallow(value: unknown, depth = 0): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > JSON_DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((each) => isShallow(each, depth + 1));
  for (const key in value) if (!isShallow((value as Members)[key], depth + 1)) return false;
  return true;
}
