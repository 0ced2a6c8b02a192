/** rescan → the sources that hold images. What they know of having scanned is forgotten; they scan again by themselves. */
import { nothingToNote, type Performer } from "./performer.ts";

export type Rescan = {
  /** What can be scanned again, by the name it goes under on the trail. */
  images(): Promise<string[]>;
  forget(image: string): Promise<void>;
};

/** More are scanned, and named in part. */
const NAMED_MAX = 64;

export const rescanPerformer = ({ images, forget }: Rescan): Performer<"rescan"> => ({
  note: nothingToNote,
  async perform() {
    const found = await images();
    for (const image of found) await forget(image);
    const named = found.slice(0, NAMED_MAX).map((name) => name.toWellFormed().slice(0, 128));
    return { outcome: "done", reason: `${found.length} images are scanned again`, found: { images: named } };
  },
});
