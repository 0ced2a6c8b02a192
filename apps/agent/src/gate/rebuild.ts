/** Sealed images and what the scan said of each file → the fresh image that a guest gets, and what was left out of it. */
import type { FileHandle } from "node:fs/promises";
import { plural } from "@sallyport/shared/base/count.ts";
import type { Result } from "@sallyport/shared/base/result.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbAttachBody } from "@sallyport/shared/record/usb.ts";
import { type Grounds, leftOut } from "@sallyport/shared/usb/exception.ts";
import { type Manifest, type ManifestFile, MEMBER_MARK } from "@sallyport/shared/usb/manifest.ts";
import { z } from "zod";
import { DoorError } from "../dom0/dom0.ts";
import type { StartRebuild } from "../dom0/usb-rebuild.ts";
import type { UsbVolume } from "../dom0/usb-volume.ts";
import { AT_ONCE, each, inTurns, type Work } from "./in-turns.ts";
import type { Image } from "./passage-state.ts";
import { imageBytesMax } from "./rebuild/exfat.ts";
import type { RebuildOrder } from "./rebuild/main.ts";
import type { Passing } from "./rebuild/plan.ts";

/** The rebuilder meets the stick's bytes: what it says is decoded like anything untrusted. */
const Event = z.discriminatedUnion("event", [
  z.strictObject({ event: z.literal("renamed"), path: z.string().max(32_768), as: z.string().max(16_384) }),
  z.strictObject({
    event: z.literal("end"),
    files: z.int().min(0),
    bytes: z.int().min(0),
    missing: z.int().min(0),
  }),
  z.strictObject({ event: z.literal("checked"), files: z.int().min(0) }),
]);
type End = Extract<z.infer<typeof Event>, { event: "end" }>;

const LABEL = "SALLYPORT";
const SHOWN_MAX = 64;
const NAME_CHARS_MAX = 512;

export type Chosen = {
  passing: Passing[];
  bytes: number;
  leftOut: NonNullable<UsbAttachBody["leftOut"]>;
};

const nameOf = (file: ManifestFile): string => file.path ?? `\0base64:${file.pathBase64}`;
const shown = (name: string): string => name.replace("\0", "").slice(0, NAME_CHARS_MAX).toWellFormed();

/** What goes into the copy. An archive's members travel in it. Pure. */
export function* choose(manifest: Manifest, policy: UsbSection, grounds: Grounds): Work<Chosen> {
  const paths = new Set(yield* each(manifest, (file) => `${file.partition ?? 0}/${latin(file)}`));
  const chosen: Chosen = { passing: [], bytes: 0, leftOut: { count: 0, first: [] } };
  for (const [at, file] of manifest.entries()) {
    if (at % AT_ONCE === AT_ONCE - 1) yield;
    if (isMember(file, paths)) continue;
    const why = leftOut(file, policy, grounds);
    if (why === undefined) {
      const { partition = 0, size, sha256 } = file;
      chosen.passing.push({ partition, path: nameOf(file), size, sha256: sha256! });
      chosen.bytes += size;
      continue;
    }
    chosen.leftOut.count += 1;
    if (chosen.leftOut.first.length < SHOWN_MAX)
      chosen.leftOut.first.push({ name: shown(nameOf(file)), why: why.slice(0, 1024).toWellFormed() });
  }
  return chosen;
}

/** One character a byte, so that names that are not Unicode compare as well. */
const latin = (file: ManifestFile): string =>
  (file.path === undefined ? Buffer.from(file.pathBase64 ?? "", "base64") : Buffer.from(file.path)).toString("latin1");

/** As the reader said. One from before it did left that to the names, and still passes as it did. */
function isMember(file: ManifestFile, paths: ReadonlySet<string>): boolean {
  if (file.member !== undefined) return file.member;
  const name = latin(file);
  for (let at = name.indexOf(MEMBER_MARK); at > 0; at = name.indexOf(MEMBER_MARK, at + 1))
    if (paths.has(`${file.partition ?? 0}/${name.slice(0, at)}`)) return true;
  return false;
}

export type RebuildParts = {
  volume: UsbVolume;
  start: StartRebuild;
  policy: UsbSection;
  now: () => number;
  /** At least so much may be written, beside what others may. */
  setAside: (bytes: number) => Result<void>;
  /** Which file that is written to now. */
  writes: (file: string) => void;
  signal: AbortSignal;
};
export type Rebuilt = {
  file: string;
  bytes: number;
  files: number;
  /** The very file that was looked at (`UsbVolume.seen`). */
  seen: string;
  leftOut: NonNullable<UsbAttachBody["leftOut"]>;
  renamed: NonNullable<UsbAttachBody["renamed"]>;
};

/** The fresh image, sealed and looked at. @throws DoorError where it cannot be made, or is not what was to be made;
 *  nothing of it is left then */
export async function rebuildImage(
  image: Image,
  manifest: Manifest,
  grounds: Grounds,
  parts: RebuildParts,
): Promise<Rebuilt> {
  const { volume, policy, now } = parts;
  const { passing, bytes, leftOut: left } = await inTurns(choose(manifest, policy, grounds));
  const bytesMax = imageBytesMax(bytes, passing.length);
  const room = parts.setAside(bytesMax);
  if (!room.ok) throw new DoorError(`its copy is not made: ${room.error}`);
  const serial = Number.parseInt(image.sha256.slice(0, 8), 16);
  const order = { filesMax: policy.limits.files, bytesMax, label: LABEL, serial, timeMs: now() };
  const { file, handle } = await volume.blank();
  parts.writes(file);
  try {
    const { end, renamed } = await write(image, handle, order, passing, parts).finally(() => handle.close());
    await volume.seal({ file, bytes: end.bytes, sha256: "" });
    const seen = await volume.seen(file);
    await check(file, order, passing, parts);
    if ((await volume.seen(file)) !== seen) throw new DoorError("the copy was changed while it was looked at");
    return { file, bytes: end.bytes, files: end.files, seen, leftOut: left, renamed };
  } catch (error) {
    await volume.discard(file);
    throw error;
  }
}

type Order = Omit<RebuildOrder, "size" | "check">;

async function write(
  image: Image,
  out: FileHandle,
  order: Order,
  passing: readonly Passing[],
  { volume, start, policy, signal }: RebuildParts,
): Promise<{ end: End; renamed: Rebuilt["renamed"] }> {
  const secondsMax = policy.limits.seconds;
  const rebuilding = await start({ image: volume.path(image.file), out, order, passing, secondsMax, signal });
  const renamed: Rebuilt["renamed"] = { count: 0, first: [] };
  let end: End | undefined;
  for await (const line of rebuilding.lines) {
    const event = decode(line);
    if (event === undefined || event.event === "checked" || end)
      throw new DoorError("the rebuilder said something that cannot be read");
    if (event.event === "end") end = event;
    else {
      renamed.count += 1;
      if (renamed.first.length < SHOWN_MAX) renamed.first.push({ name: shown(event.path), as: shown(event.as) });
    }
  }
  const problem = await rebuilding.ended;
  if (problem !== null || !end)
    throw new DoorError(`the copy could not be made: ${problem ?? "the rebuilder stopped"}`);
  if (end.missing > 0) throw new DoorError(`${plural(end.missing, "file")} scanned cannot be found again in the image`);
  return { end, renamed };
}

/** By another process than the one that met the stick's bytes, which works out itself what the copy must be. */
async function check(
  file: string,
  order: Order,
  passing: readonly Passing[],
  { volume, start, policy, signal }: RebuildParts,
): Promise<void> {
  const secondsMax = policy.limits.seconds;
  const told = { ...order, check: true as const };
  const checking = await start({ image: volume.path(file), order: told, passing, secondsMax, signal });
  const said: (z.infer<typeof Event> | undefined)[] = [];
  for await (const line of checking.lines) said.push(decode(line));
  const problem = await checking.ended;
  if (problem !== null) throw new DoorError(`the copy is not handed over: ${problem}`);
  const [only] = said;
  if (said.length !== 1 || only?.event !== "checked" || only.files !== passing.length)
    throw new DoorError("the copy is not handed over: whoever looked at it stopped, or said what cannot be read");
}

function decode(line: string): z.infer<typeof Event> | undefined {
  try {
    const event = Event.safeParse(JSON.parse(line));
    return event.success ? event.data : undefined;
  } catch {
    return undefined;
  }
}
