/** start-guest → xl, from the configuration file that the agent's own names for that guest: what destroy-guest took away.
 *  The order names a guest and never a file, so that no console chooses what is run in dom0. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import type { Domain, Xl } from "../dom0/xl.ts";
import type { Outcome, Performer } from "./performer.ts";

export type StartGuestParts = {
  xl: Xl;
  /** The domain's name by the guest's id. */
  domainOf: (guest: GuestId) => string;
  /** The guest's xl configuration file, where one is named. */
  fileOf: (guest: GuestId) => string | undefined;
  /** Why that file is not to be trusted. */
  faultOf: (file: string) => Promise<string | undefined>;
};
const Noted = z.object({ name: z.string(), file: z.string().nullable() });
type Noted = z.infer<typeof Noted>;

const failed = (reason: string): Outcome => ({ outcome: "failed", reason });

function standing({ name, id, isPaused, isOver }: Domain, does: string): Outcome {
  const which = `${name} (domain ${id})`;
  if (isOver) return failed(`${which} has ended and is kept as it was: destroy-guest takes it away`);
  if (isPaused) return failed(`${which} is there and stands still: resume lets it go on, destroy-guest ends it`);
  return { outcome: "done", reason: `${which} ${does}`, found: { domain: name, id } };
}

export const startPerformer = ({ xl, domainOf, fileOf, faultOf }: StartGuestParts): Performer<"start-guest"> => {
  const find = async (wanted: string) => (await xl.domains()).find(({ name, id }) => name === wanted && id !== 0);
  const started = async (name: string, file: string): Promise<Outcome> => {
    const found = await find(name);
    return found ? standing(found, "was started") : failed(`${name} was started from ${file}, and ended at once`);
  };
  return {
    note: async ({ arguments: { guest } }): Promise<Json> =>
      ({ name: domainOf(guest), file: fileOf(guest) ?? null }) satisfies Noted,
    async perform({ command, noted, isAgain, signal }) {
      const { name, file } = Noted.parse(noted);
      // looked for first: a guest that is still being built is listed already, and stands still
      if (isAgain && file !== null && (await xl.isCreating(file))) {
        await xl.create(file, "join", signal);
        return started(name, file);
      }
      const before = await find(name);
      if (before) return standing(before, isAgain ? "runs" : "runs already");
      if (file === null) {
        const { guest } = command.arguments;
        return failed(
          `${name} does not run, and nothing says what to start it from: write "xlConfig": "/etc/xen/….cfg" into the entry of ${guest} under guests in the agent's config.json, and restart the agent`,
        );
      }
      const fault = await faultOf(file);
      if (fault !== undefined) return failed(`${name} is not started: ${fault}`);
      const named = await xl.nameIn(file);
      if (named !== name)
        return failed(`${name} is not started: ${file} is for ${named}. Name its own file (xlConfig), or its domain.`);
      await xl.create(file, "anew", signal);
      return started(name, file);
    },
  };
};
