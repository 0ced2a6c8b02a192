/** xl → systemd: a guest is started in a unit of its own (packages/deb/debian/sallyport-guest@.service). What `xl create`
 *  leaves behind, its monitor and the guest's device model, lives as long as the guest: in the agent's unit it would be
 *  confined like the agent, and end with it. */
import { type Dom0, DoorError, type Ran } from "./dom0.ts";

/** `join`: a start is under way, and may have come to its end meanwhile; nothing is begun where it ended well. */
export type StartHow = "anew" | "join";

export type GuestUnit = {
  /** Whether a start by that configuration file is under way, whoever asked for it. */
  isStarting(file: string): Promise<boolean>;
  /** Started when it returns. The signal ends the waiting, not the start. @throws DoorError with xl's own words */
  start(file: string, how: StartHow, signal?: AbortSignal): Promise<void>;
};

const TEMPLATE = "sallyport-guest@.service";
/** The unit gives up after 180 s. */
const START_MS_MAX = 200_000;
const ASK_MS_MAX = 20_000;
const WORDS_CHARS_MAX = 700;

export function guestUnit({ run }: Pick<Dom0, "run">): GuestUnit {
  const said = async (program: string, ...args: string[]): Promise<string> => {
    const ran = await run(program, args, { timeoutMs: ASK_MS_MAX });
    if (ran.code === 0) return ran.stdout.trim();
    throw new DoorError(`${program} ${args.join(" ")}: ${firstLine(ran)}`);
  };
  const unitOf = (file: string) => said("systemd-escape", "--path", `--template=${TEMPLATE}`, file);
  const property = (unit: string, name: string) => said("systemctl", "show", `--property=${name}`, "--value", unit);

  /** What xl said in this start of the unit; nothing where the journal has none of it. */
  const xlWords = async (unit: string): Promise<string> => {
    const invocation = await property(unit, "InvocationID");
    if (!/^[0-9a-f]{32}$/.test(invocation)) return "";
    await said("journalctl", "--sync").catch(() => {});
    const lines = await said(
      "journalctl",
      ...["--no-pager", "--output=cat", "--lines=8"],
      `_SYSTEMD_INVOCATION_ID=${invocation}`,
    );
    return lines.split("\n").filter(Boolean).join("; ");
  };
  return {
    isStarting: async (file) => (await property(await unitOf(file), "ActiveState")) === "activating",
    async start(file, how, signal) {
      const unit = await unitOf(file);
      // a unit whose guest has just ended still counts as active, and would not be started
      const act = how === "join" ? "start" : "restart";
      const ran = await run("systemctl", [act, unit], { timeoutMs: START_MS_MAX, ...(signal && { signal }) });
      if (ran.code === 0) return;
      const words = (await xlWords(unit).catch(() => "")) || firstLine(ran);
      throw new DoorError(`xl create ${file}: ${words.slice(0, WORDS_CHARS_MAX)}`);
    },
  };
}

const firstLine = ({ code, stderr, timedOut }: Ran): string =>
  timedOut ? "it took too long" : (stderr.split("\n").find((line) => line.trim()) ?? `exit ${code}`).trim();
