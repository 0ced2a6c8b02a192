/** A pretend guest: what it has lies in a folder, one file a handle, so that a test sees it over kills of the agent. It
 *  keeps the promises of dom0/attach.ts. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Attach } from "../dom0/attach.ts";
import { DoorError } from "../dom0/dom0.ts";

export type SimGuest = Attach & {
  /** Handle → the image's path, or `device`. */
  has(handle: string): Promise<boolean>;
  given(): Map<string, string>;
  /** It ends, with all that it had; and it is started again. */
  end(): void;
  begin(): void;
  /** It lets go of nothing until told otherwise. */
  holdOn(is: boolean): void;
};

export function simGuest(folder: string): SimGuest {
  mkdirSync(folder, { recursive: true });
  let holdsOn = false;
  let lives = 1;
  let runs = true;
  const at = (handle: string) => join(folder, handle);
  const mustRun = () => {
    if (!runs) throw new DoorError("there is no such guest");
  };
  const plan = async (taken: readonly string[]) => {
    mustRun();
    for (let number = 0; number < 8; number++) {
      const handle = `stick-${number}`;
      if (!existsSync(at(handle)) && !taken.includes(handle)) return handle;
    }
    throw new DoorError("the guest has 8 sticks already");
  };
  const give = async (handle: string, what: string) => {
    mustRun();
    if (existsSync(at(handle))) throw new DoorError(`the guest has ${handle} already`);
    writeFileSync(at(handle), what);
  };
  return {
    planImage: plan,
    planDevice: plan,
    image: async (handle, path) => {
      if (!existsSync(path)) throw new DoorError(`there is no ${path}`);
      await give(handle, path);
    },
    device: (handle, { bus, address }) => give(handle, `device ${bus}.${address}`),
    async has(handle) {
      mustRun();
      return existsSync(at(handle));
    },
    holds: async (handles) => ({
      guest: runs ? String(lives) : undefined,
      isReady: runs,
      has: handles.filter((handle) => existsSync(at(handle))),
    }),
    end: () => {
      runs = false;
      for (const handle of readdirSync(folder)) rmSync(at(handle));
    },
    begin: () => {
      runs = true;
      lives++;
    },
    detach: async (handle) => {
      if (holdsOn && existsSync(at(handle))) throw new DoorError(`the guest uses ${handle}`);
      rmSync(at(handle), { force: true });
    },
    holdOn: (is) => {
      holdsOn = is;
    },
    given: () => new Map(readdirSync(folder).map((handle) => [handle, readFileSync(at(handle), "utf8")])),
  };
}
