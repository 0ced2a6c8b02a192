/** What a `command` statement carries, and what may be wrong with a well-signed one. Pure. */
import { z } from "zod";
import { CommandId, GuestId, Time } from "../base/ids.ts";
import type { Statement } from "../policy/statement.ts";
import { VERB_RULES, type Verb } from "./verb.ts";

/** A LUKS volume by its header's own id, so that an order never reaches one that was made later in its place. */
export const VolumeUuid = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "a volume's UUID as its header has it");

/** Each verb and its arguments. Strict: an agent that does not know an argument must not act without it. */
const ARGUMENTS = {
  isolate: z.strictObject({ until: Time }),
  release: z.strictObject({}),
  pause: z.strictObject({ guest: GuestId }),
  resume: z.strictObject({ guest: GuestId }),
  "destroy-guest": z.strictObject({ guest: GuestId }),
  rescan: z.strictObject({}),
  diagnostics: z.strictObject({}),
  wipe: z.strictObject({ volume: VolumeUuid }),
  "start-guest": z.strictObject({ guest: GuestId }),
} as const satisfies Record<Verb, z.ZodType>;

const shape = <V extends Verb>(verb: V) =>
  z.strictObject({ id: CommandId, verb: z.literal(verb), arguments: ARGUMENTS[verb], notAfter: Time });

/** `notAfter`: it is not begun at or after this moment. What was begun is ended. */
export const Command = z.discriminatedUnion("verb", [
  shape("isolate"),
  shape("release"),
  shape("pause"),
  shape("resume"),
  shape("destroy-guest"),
  shape("rescan"),
  shape("diagnostics"),
  shape("wipe"),
  shape("start-guest"),
]);
export type Command = z.infer<typeof Command>;
export type CommandOf<V extends Verb> = Extract<Command, { verb: V }>;

/** A week: longer than a machine is usually away, short enough that an order in a drawer is dead. */
export const COMMAND_LIFE_MS_MAX = 7 * 86_400_000;
/** What the console's key alone may cut at once; it can do so again. */
export const ISOLATION_MS_MAX = 7 * 86_400_000;

/** Whether the console's key alone is enough for what is carried. What cannot be read needs the threshold. */
export function mayConsoleAlone(carried: unknown): boolean {
  const read = Command.safeParse(carried);
  return read.success && VERB_RULES[read.data.verb].signers === "console";
}

/** What is wrong with an order whose signatures hold; nothing where it may be taken. */
export function faultOfCommand(
  { audience, issued, notAfter }: Statement,
  untrusted: unknown,
): { code: "malformed" | "audience"; reason: string } | undefined {
  const read = Command.safeParse(untrusted);
  if (!read.success) return { code: "malformed", reason: z.prettifyError(read.error) };
  const command = read.data;
  if (!("workstation" in audience)) return { code: "audience", reason: "a command is for one workstation, by name" };
  const malformed = (reason: string) => ({ code: "malformed" as const, reason });
  if (notAfter !== command.notAfter) return malformed("the statement and the command in it do not expire together");
  const life = Date.parse(command.notAfter) - Date.parse(issued);
  if (life <= 0 || life > COMMAND_LIFE_MS_MAX)
    return malformed(`a command is valid for at most ${COMMAND_LIFE_MS_MAX / 86_400_000} days from when it is issued`);
  if (command.verb === "isolate") {
    const long = Date.parse(command.arguments.until) - Date.parse(issued);
    if (long <= 0 || long > ISOLATION_MS_MAX)
      return malformed(`an isolation lasts at most ${ISOLATION_MS_MAX / 86_400_000} days from when it is issued`);
  }
  return undefined;
}
