/** wipe → the guest's volume. Its keys first, then its whole header area, then all of it where not all was encrypted, then
 *  every copy of a header and every sealed recovery key that dom0 has. Each step is gone through again after a kill until
 *  nothing is left; what the volume was is noted before the first. */
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { DiskWiped } from "@sallyport/shared/record/disk.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import type { VolumePlace } from "../appliers/disk.ts";
import { AREA_BYTES_MAX, type Disk, NO_KNOWN_KIND } from "../dom0/disk.ts";
import type { Outcome, Performer } from "./performer.ts";

/** A sealed recovery key that lies in dom0; `ciphertext` is the sha256 over what is sealed. */
export type Escrowed = { volume: string; ciphertext: Sha256; path: string };
export type WipeParts = {
  disk: Disk;
  place: VolumePlace;
  escrow: () => Promise<Escrowed[]>;
  /** Volumes of which an order here left nothing on their device, so that a next one may end what lies beside it. */
  wiped: WipedVolumes;
  now: () => number;
};
export type WipedVolumes = { has(volume: string): Promise<boolean>; keep(volume: string): Promise<void> };

const Noted = z.object({
  device: z.string(),
  areaBytes: z.int().min(1).max(AREA_BYTES_MAX),
  before: z.string(),
  /** All that wipefs knew of it. */
  what: z.string().optional(),
  /** The volume's size where it can be read with no key, in part or whole: then its keys are not all that must go. */
  plainBytes: z.int().min(0).optional(),
  /** Where such data lies is not in the header. */
  isElsewhere: z.boolean().optional(),
  /** The device has its header no more: of the volume are left these copies of it, and the sealed keys. */
  copies: z.array(z.string()).max(64).optional(),
  escrow: z.array(z.object({ volume: z.string(), ciphertext: z.string(), path: z.string() })).max(64),
});
type Noted = z.infer<typeof Noted>;
type Part = DiskWiped["parts"][number];

/** More than anybody maps one volume. */
const HOLDERS_MAX = 32;

/** Where no volume is named there is nothing to wipe, and the order fails aloud. */
export const noVolume = (): Performer<"wipe"> => ({
  note: () =>
    Promise.reject(
      new Error("No volume is named in the agent's configuration. Name it under disk.volume (docs/disk.md)."),
    ),
  perform: async () => ({ outcome: "failed", reason: "no volume is named" }),
});

export const wipePerformer = (parts: WipeParts): Performer<"wipe"> => ({
  async note({ arguments: { volume } }) {
    const { disk, place } = parts;
    const found = await disk.look(place.device);
    const isGone = found.is === "blank" || (found.is === "other" && !found.uuids.includes(volume));
    const remains = isGone ? await remainsOf(parts, volume) : undefined;
    if (remains) return remains;
    if (found.is !== "luks2")
      throw new Error(
        `${place.device} is no LUKS2 volume (${found.is === "other" ? found.what : found.is}). Nothing was destroyed.`,
      );
    if (found.uuid !== volume)
      throw new Error(`The order is for volume ${volume}; ${place.device} is ${found.uuid}. Nothing was touched.`);
    const { areaBytes, isPlain, isDetached } = found.header;
    if (areaBytes > AREA_BYTES_MAX)
      throw new Error(`The header says that it has ${areaBytes} bytes: that is no header.`);
    const escrow = (await parts.escrow()).filter((each) => each.volume === volume);
    return {
      device: place.device,
      areaBytes,
      before: await disk.hash(place.device, areaBytes),
      what: found.what,
      ...(isPlain && !isDetached && { plainBytes: await disk.size(place.device) }),
      ...(isPlain && isDetached && { isElsewhere: true }),
      escrow,
    } satisfies Noted;
  },

  async perform({ command, noted, isAgain }): Promise<Outcome> {
    const { disk, place, wiped, now } = parts;
    const { volume } = command.arguments;
    const { device, areaBytes, before, what, plainBytes, isElsewhere, copies, escrow } = Noted.parse(noted);
    if (copies) {
      const steps: Part[] = [];
      for (const path of [...copies, ...escrow.map((each) => each.path)])
        steps.push(await step(path, () => disk.remove(path)));
      // another disk in its place has no header of it either
      if (!(await wiped.has(volume)))
        steps.push({
          what: "the volume itself",
          outcome: "failed",
          why: `no order here has wiped it, and ${device} is something else: it may be whole elsewhere`,
        });
      const after = await disk.hash(device, areaBytes).catch(() => undefined);
      return ended(steps, { command: command.id, volume, areaBytes, before, after, escrow }, now());
    }
    const wrong = isAgain ? await anotherThere(disk, device, volume, what) : undefined;
    if (wrong) return { outcome: "failed", reason: wrong };
    const steps: Part[] = [
      await step("the volume's keys", async () => {
        const found = await disk.look(device);
        if (found.is !== "luks2") return "absent";
        await disk.erase(device);
        return "gone";
      }),
      await step("the header area", async () => {
        await disk.overwrite(device, areaBytes);
        return "gone";
      }),
    ];
    steps.push(...(await closeAll(disk, volume, place.mapping)));
    // after it is closed: what is mapped onto it could write the same once more
    if (plainBytes !== undefined)
      steps.push(
        await step(`all ${plainBytes} bytes of it, which were not all encrypted`, async () => {
          await disk.overwrite(device, plainBytes);
          return "gone";
        }),
      );
    if (isElsewhere)
      steps.push(
        await step("what of it was not encrypted", () =>
          Promise.reject(
            new Error("its header lay apart from its data, and does not say where that is: destroy the data by hand"),
          ),
        ),
      );
    const beside: Part[] = [];
    for (const path of [...place.copies, ...escrow.map((each) => each.path)])
      beside.push(await step(path, () => disk.remove(path)));

    const after = await disk.hash(device, areaBytes).catch(() => undefined);
    const left = await disk.look(device).catch(() => undefined);
    const isStill = left === undefined || left.is === "luks2" || (left.is === "other" && left.uuids.includes(volume));
    if (after === undefined || after === before || isStill)
      steps.push({ what: "a look afterwards", outcome: "failed", why: "the header is still there, or cannot be read" });
    // where that cannot be kept, a next order says that it does not know
    if (!steps.some(({ outcome }) => outcome === "failed")) await wiped.keep(volume).catch(() => {});
    return ended([...steps, ...beside], { command: command.id, volume, areaBytes, before, after, escrow }, now());
  },
});

/** An order that could not be carried out whole leaves a device without a header, and copies or sealed keys that a next order
 *  may still destroy: those that are this volume's. The device, which may be somebody else's by now, is not touched. */
async function remainsOf({ disk, place, escrow }: WipeParts, volume: string) {
  const sealed = (await escrow()).filter((each) => each.volume === volume);
  const copies: string[] = [];
  let areaBytes = 1;
  for (const path of place.copies) {
    const found = await disk.look(path).catch(() => undefined);
    if (found?.is !== "luks2" || found.uuid !== volume) continue;
    copies.push(path);
    areaBytes = Math.max(areaBytes, Math.min(found.header.areaBytes, AREA_BYTES_MAX));
  }
  if (copies.length === 0 && sealed.length === 0) return undefined;
  const before = await disk.hash(place.device, areaBytes);
  return { device: place.device, areaBytes, before, copies, escrow: sealed } satisfies Noted;
}

type Known = Pick<DiskWiped, "volume" | "areaBytes"> & {
  command: string;
  before: string;
  after: string | undefined;
  escrow: Noted["escrow"];
};

/** What is said of it, on the trail and in the answer. */
function ended(steps: Part[], { after, escrow, ...known }: Known, time: number): Outcome {
  const { volume } = known;
  const failed = steps.filter(({ outcome }) => outcome === "failed");
  const body = DiskWiped.parse({
    ...known,
    ...(after !== undefined && { after }),
    parts: steps.slice(0, 64),
    escrow: escrow.map(({ volume: of, ciphertext }) => ({ volume: of, ciphertext })),
    whole: failed.length === 0,
  });
  const words = failed.map(({ what, why }) => `${what}: ${why}`).join("; ");
  const text = failed.length === 0 ? `Volume ${volume} was wiped` : `Volume ${volume} was not wiped whole: ${words}`;
  const observation: Observation = {
    kind: "disk.wiped",
    severity: "critical",
    time,
    text: text.toWellFormed().slice(0, 512),
    body,
  };
  return failed.length === 0
    ? { outcome: "done", reason: "no key and no header is left", observations: [observation] }
    : { outcome: "failed", reason: words, observations: [observation] };
}

/** Since the kill somebody may have put something else there: that is not what was ordered to be wiped. */
async function anotherThere(
  disk: Disk,
  device: string,
  volume: string,
  before: string | undefined,
): Promise<string | undefined> {
  const found = await disk.look(device);
  switch (found.is) {
    case "luks2":
      return found.uuid === volume
        ? undefined
        : `${device} is another volume by now (${found.uuid}); it was not touched`;
    case "absent":
      return `${device} is gone`;
    case "blank":
      return undefined;
    case "other":
      // beside its header it may have carried more: what was in the clear has signatures of its own
      return found.uuids.includes(volume) || found.what === NO_KNOWN_KIND || before?.split(", ").includes(found.what)
        ? undefined
        : `${device} carries something else by now (${found.what}); it was not touched`;
  }
}

/** A mapping that stays open keeps the key in memory, and whoever reads from it reads on: each is closed, whatever its name
 *  is, and the one that the configuration names also where nothing says whose it is. */
async function closeAll(disk: Disk, volume: string, mapping: string | undefined): Promise<Part[]> {
  const steps: Part[] = [];
  const closed = new Set<string>();
  const nextOpen = async (): Promise<string | undefined> => {
    const named = mapping !== undefined && (await disk.isOpen(mapping)) ? [mapping] : [];
    // one that is in use stays, and reads nothing any more
    return [...named, ...((await disk.holders(volume)) ?? [])].find((name) => !closed.has(name));
  };
  const looked = await step(mapping === undefined ? "the open volume" : `the open volume ${mapping}`, async () => {
    for (let name = await nextOpen(); name !== undefined; name = await nextOpen()) {
      if (closed.size >= HOLDERS_MAX)
        throw new Error(`more than ${HOLDERS_MAX} mappings have it open: close them by hand`);
      const of = name;
      closed.add(of);
      steps.push(
        await step(`the open volume ${of}`, async () => {
          await disk.close(of);
          return "gone";
        }),
      );
    }
    return "absent";
  });
  return closed.size > 0 && looked.outcome === "absent" ? steps : [...steps, looked];
}

async function step(what: string, act: () => Promise<"gone" | "absent">): Promise<Part> {
  const named = what.toWellFormed().slice(0, 256);
  try {
    return { what: named, outcome: await act() };
  } catch (error) {
    return { what: named, outcome: "failed", why: (error as Error).message.toWellFormed().slice(0, 512) };
  }
}
