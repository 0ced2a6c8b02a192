/** command → Xen's toolstack. Domains by number: names can be given again, a number cannot within one boot. */
import { z } from "zod";
import { type Dom0, DoorError, type Ran } from "./dom0.ts";
import { guestUnit, type StartHow } from "./guest-unit.ts";

/** `isOver`: it was shut down or has crashed, and nobody has taken it away. */
export type Domain = { name: string; id: number; isPaused: boolean; isOver: boolean };

export type Xl = {
  /** Those that run or stand still, dom0 included. @throws DoorError where there is no Xen, or one may not ask */
  domains(): Promise<Domain[]>;
  /** @throws DoorError where there is no such domain */
  pause(id: number): Promise<void>;
  unpause(id: number): Promise<void>;
  /** Gone when it returns. */
  destroy(id: number): Promise<void>;
  /** The name that a configuration file gives its guest, as xl reads it. @throws DoorError where it cannot */
  nameIn(file: string): Promise<string>;
  /** The guest of that file runs when it returns. The signal ends the waiting alone. @throws DoorError */
  create(file: string, how: StartHow, signal?: AbortSignal): Promise<void>;
  isCreating(file: string): Promise<boolean>;
};

const XL_MS_MAX = 60_000;
const LINES_MAX = 1_024;
/** libxl's own JSON, as a dry run prints it. */
const Configuration = z.object({ c_info: z.object({ name: z.string().min(1) }) });

export function xlOf(dom0: Pick<Dom0, "run">): Xl {
  const xl = async (...args: string[]): Promise<string> => {
    const ran = await dom0.run("xl", args, { timeoutMs: XL_MS_MAX });
    if (ran.code === 0) return ran.stdout;
    throw new DoorError(`xl ${args.join(" ")}: ${wordsOf(ran)}`);
  };
  // dom0 is never stopped or ended by its own agent
  const guest = (id: number): string => {
    if (!Number.isSafeInteger(id) || id < 1) throw new DoorError(`domain ${id} is no guest`);
    return String(id);
  };
  const unit = guestUnit(dom0);
  return {
    domains: async () => readDomains(await xl("list")),
    pause: async (id) => void (await xl("pause", guest(id))),
    unpause: async (id) => void (await xl("unpause", guest(id))),
    destroy: async (id) => void (await xl("destroy", guest(id))),
    nameIn: async (file) => readName(file, await xl("-N", "create", "-q", "-f", file)),
    create: (file, how, signal) => unit.start(file, how, signal),
    isCreating: (file) => unit.isStarting(file),
  };
}

function readName(file: string, printed: string): string {
  try {
    return Configuration.parse(JSON.parse(printed)).c_info.name;
  } catch (cause) {
    throw new DoorError(`what xl prints of ${file} names no guest`, { cause });
  }
}

/** `Name  ID  Mem VCPUs  State  Time(s)`; of the state's letters the third is `p` where it stands still, the fourth `s`
 *  where it was shut down, the fifth `c` where it has crashed. */
export function readDomains(listing: string): Domain[] {
  return listing
    .split("\n", LINES_MAX)
    .slice(1)
    .flatMap((line) => {
      const found = /^(\S.*?)\s+(\d{1,5})\s+\d+\s+\d+\s+([a-z-]{6})\s+[\d.]+\s*$/.exec(line);
      return found
        ? [
            {
              name: found[1]!,
              id: Number(found[2]),
              isPaused: found[3]![2] === "p",
              isOver: /^...(?:s|.c)/.test(found[3]!),
            },
          ]
        : [];
    });
}

function wordsOf({ code, stderr, timedOut }: Ran): string {
  if (timedOut) return `it took longer than ${XL_MS_MAX / 1000} s`;
  return (stderr.split("\n").find((line) => line.trim()) ?? `exit ${code}`).trim().slice(0, 400);
}
