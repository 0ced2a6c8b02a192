/** pause, resume, destroy-guest → xl. A domain is known by its number in one boot of the machine: a guest that was started
 *  again is another, and is not touched by an order that was begun before. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import type { Domain, Xl } from "../dom0/xl.ts";
import type { Outcome, Performer } from "./performer.ts";

export type GuestParts = {
  xl: Xl;
  /** The domain's name by the guest's id. */
  domainOf: (guest: GuestId) => string;
  /** Another after each start of the machine. */
  bootId: () => Promise<string>;
};
const Noted = z.object({ name: z.string(), id: z.int(), bootId: z.string() });
type Noted = z.infer<typeof Noted>;

async function noteGuest({ xl, domainOf, bootId }: GuestParts, guest: GuestId): Promise<Json> {
  const name = domainOf(guest);
  const domains = await xl.domains();
  const found = domains.find((domain) => domain.name === name && domain.id !== 0);
  if (!found) {
    const others = domains.filter(({ id }) => id !== 0).map((domain) => domain.name);
    throw new Error(
      `No guest called ${name} runs here (${others.length > 0 ? `running: ${others.join(", ")}` : "no guest runs"}). Name its domain under domains in the agent's configuration.`,
    );
  }
  return { name, id: found.id, bootId: await bootId() } satisfies Noted;
}

/** The noted domain as it is now; nothing where it has ended. */
async function findNoted({ xl, bootId }: GuestParts, noted: Json): Promise<{ noted: Noted; domain?: Domain }> {
  const read = Noted.parse(noted);
  if ((await bootId()) !== read.bootId) return { noted: read };
  const domain = (await xl.domains()).find(({ id, name }) => id === read.id && name === read.name);
  return { noted: read, ...(domain && { domain }) };
}

const gone = ({ name, id }: Noted): Outcome => ({ outcome: "failed", reason: `${name} (domain ${id}) runs no more` });

export const pausePerformer = (parts: GuestParts): Performer<"pause"> => ({
  note: ({ arguments: { guest } }) => noteGuest(parts, guest),
  async perform({ noted }) {
    const { noted: read, domain } = await findNoted(parts, noted);
    if (!domain) return gone(read);
    // Xen counts pauses: one too many would need two to take back
    if (!domain.isPaused) await parts.xl.pause(domain.id);
    const after = await findNoted(parts, noted);
    return after.domain?.isPaused
      ? { outcome: "done", reason: `${read.name} (domain ${read.id}) stands still` }
      : { outcome: "failed", reason: `${read.name} (domain ${read.id}) does not stand still` };
  },
});

export const resumePerformer = (parts: GuestParts): Performer<"resume"> => ({
  note: ({ arguments: { guest } }) => noteGuest(parts, guest),
  async perform({ noted }) {
    const { noted: read, domain } = await findNoted(parts, noted);
    if (!domain) return gone(read);
    if (domain.isPaused) await parts.xl.unpause(domain.id);
    const after = await findNoted(parts, noted);
    return after.domain && !after.domain.isPaused
      ? { outcome: "done", reason: `${read.name} (domain ${read.id}) goes on` }
      : { outcome: "failed", reason: `${read.name} (domain ${read.id}) does not go on` };
  },
});

export const destroyPerformer = (parts: GuestParts): Performer<"destroy-guest"> => ({
  note: ({ arguments: { guest } }) => noteGuest(parts, guest),
  async perform({ noted, isAgain }) {
    const { noted: read, domain } = await findNoted(parts, noted);
    const found = { domain: read.name, id: read.id };
    if (!domain && isAgain)
      return { outcome: "done", reason: `${read.name} (domain ${read.id}) had ended already`, found };
    if (!domain) return gone(read);
    await parts.xl.destroy(domain.id);
    const after = await findNoted(parts, noted);
    return after.domain
      ? { outcome: "failed", reason: `${read.name} (domain ${read.id}) still runs`, found }
      : { outcome: "done", reason: `${read.name} (domain ${read.id}) was ended`, found };
  },
});
