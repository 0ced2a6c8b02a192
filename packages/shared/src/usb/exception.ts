/** Hold → request → exception. What a person approves is one device's contents on one workstation until one moment:
 *  other bytes, another stick or another machine ask again. Pure. */
import { z } from "zod";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { Sha256, WorkstationId } from "../base/ids.ts";
import type { UsbSection } from "../policy/usb.ts";
import { type ManifestFile, manifestDigest } from "./manifest.ts";

/** One logical unit's image as a whole, whatever is in it. */
export const WholeImage = z.strictObject({ bytes: z.int().min(0), sha256: Sha256 });
export type WholeImage = z.infer<typeof WholeImage>;
/** Of all units in order. */
const WholeImages = z.array(WholeImage).min(1).max(16);

/** An exception lasts no longer from when it is issued: what is needed for good is a rule of the policy. */
export const EXCEPTION_HOURS_MAX = 7 * 24;
/** Of why a stick may pass, or may not: a page asks for either in one field. */
export const EXCEPTION_REASON_CHARS_MAX = 500;

/** What an `exception` statement carries. Its audience is the one workstation, and it must end (`notAfter`). */
export const CarriedException = z.object({
  workstation: WorkstationId,
  /** sha256 of the device's raw descriptors: what a model of sticks has in common. */
  descriptors: Sha256,
  /** The one stick, as USBGuard makes it of its name, serial and descriptors. One without it, from before it was kept, is
   *  refused: it would let pass any stick of the model that holds the same files. */
  device: z.string().max(64).optional(),
  /** Of everything on it, as `stickManifest` makes it. */
  manifest: Sha256,
  /** With them the guest may get the images themselves, and only these. Without, it gets a copy of the files that the
   *  manifest lists, whatever policy presents: a manifest says nothing of what lies beside them. */
  images: WholeImages.optional(),
  /** The `usb.request` it answers. */
  request: Sha256.optional(),
  reason: z.string().max(1024),
});
export type CarriedException = z.infer<typeof CarriedException>;

/** More than stand on one workstation at once. */
export const REVOKED_MAX = 64;

/** What a `revocation` statement carries: exceptions that hold no more, each named by its statement's digest, with its end. It
 *  only takes away, so the console's key alone is enough; what it names once stays revoked. */
export const CarriedRevocation = z.object({
  workstation: WorkstationId,
  revoked: z
    .array(z.object({ exception: Sha256, until: z.iso.datetime(), reason: z.string().max(256) }))
    .min(1)
    .max(REVOKED_MAX),
});
export type CarriedRevocation = z.infer<typeof CarriedRevocation>;

/** As it was believed: `digest` names the statement. */
export type Exception = CarriedException & { digest: string; notAfter: string };

/** The moments a workstation has: its own clock, which is a claim, and the latest that has come for certain. An
 *  allowance ends by the earlier of its ends, so both must lie before it. */
export type Clocks = { now: number; floor: number };

export const isCurrent = (exception: Pick<Exception, "notAfter">, { now, floor }: Clocks): boolean =>
  Math.max(now, floor) < Date.parse(exception.notAfter);

/** What of a stick an exception is compared with. */
export type Bound = {
  descriptors: string;
  device: string;
  manifest: string;
  images: readonly { bytes: number; sha256: string }[];
};

/** One that binds the images stands before one that binds the files alone. */
export function exceptionFor(exceptions: readonly Exception[], stick: Bound, clocks: Clocks): Exception | undefined {
  const fitting = exceptions.filter(
    (each) =>
      each.descriptors === stick.descriptors &&
      each.device === stick.device &&
      each.manifest === stick.manifest &&
      (each.images === undefined || areImages(each.images, stick.images)) &&
      isCurrent(each, clocks),
  );
  return fitting.find(({ images }) => images !== undefined) ?? fitting[0];
}

const areImages = (bound: readonly WholeImage[], has: Bound["images"]): boolean =>
  bound.length === has.length &&
  bound.every(({ bytes, sha256 }, unit) => bytes === has[unit]!.bytes && sha256 === has[unit]!.sha256);

/** Over all logical units in order; of one unit it is that unit's own. */
export const stickManifest = (sha256: Hash, manifests: readonly (readonly ManifestFile[])[]): string =>
  stickDigest(
    sha256,
    manifests.map((manifest) => manifestDigest(manifest, sha256)),
  );

/** Of its units' digests in order. */
export function stickDigest(sha256: Hash, digests: readonly string[]): string {
  const [only, ...more] = digests;
  if (only !== undefined && more.length === 0) return only;
  return toHex(sha256(toUtf8(`${digests.join("\n")}\n`)));
}

/** The same for the same contents of the same device here, so that plugging in again asks nothing new. One that asks for
 *  the images themselves asks for more, and is another. */
export const requestId = (
  sha256: Hash,
  stick: {
    workstation: string;
    descriptors: string;
    device: string;
    manifest: string;
    images?: readonly { bytes: number; sha256: string }[];
  },
): string => {
  const images = stick.images?.map((image) => [image.bytes, image.sha256]);
  const asked = [stick.workstation, stick.descriptors, stick.device, stick.manifest, ...(images ? [images] : [])];
  return toHex(sha256(toUtf8(canonicalText(asked))));
};

/** What a request or an exception hands over, for people: the same sentence wherever one decides. */
export function handsOver({ images }: { images?: readonly { bytes: number; sha256: string }[] | undefined }): string {
  if (images === undefined) return "a copy of the files that its manifest lists, and nothing else";
  const [first, ...more] = images.map(({ bytes, sha256 }) => `${bytes} bytes, sha256 ${sha256}`);
  const whole =
    more.length === 0 ? `the whole image, ${first}` : `${images.length} whole images: ${[first, ...more].join("; ")}`;
  return `${whole}, with all that lies beside the listed files`;
}

/** Why a stick may pass: its verdict, or what overrules it. */
export type Grounds = "verdict" | "audit" | "exception";

/** Why a file does not go into the copy that a guest gets, or nothing where it does. A person who made an exception
 *  approved what the manifest lists; what could not be read was in no manifest. */
export function leftOut(file: ManifestFile, policy: UsbSection, grounds: Grounds): string | undefined {
  if (file.type.startsWith("inode/")) return `${file.type.slice("inode/".length)}: no regular file`;
  if (file.sha256 === null) return file.detail ?? "its content could not be read whole";
  if (grounds !== "verdict" || file.finding === "clean") return undefined;
  if (file.finding === "unscannable" && policy.unscannable === "allow") return undefined;
  return file.detail === undefined ? file.finding : `${file.finding}: ${file.detail}`;
}
