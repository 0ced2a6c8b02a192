/** Messages → where they go. Every attempt is bounded in time; an answer is read for its status and no further, so that
 *  nothing of it comes before anybody's eyes. */
import type { Agent } from "node:https";
import type { Reachable, Resolve } from "./address.ts";
import type { Target } from "./destination.ts";
import { type Message, plain } from "./message.ts";
import { postOne } from "./post.ts";
import { writeAll } from "./write.ts";

/** `refused`: the receiver was there and would not have this very message. `askedMs`: how long it wants to be left alone. */
export type Outcome = { ok: true } | { ok: false; reason: string; refused?: boolean; askedMs?: number };

export type SendDeps = {
  may: Reachable;
  /** The console's own name, for syslog. */
  host: string;
  /** Of one attempt, from resolving a name to the answer. */
  attemptMs?: number;
  resolve?: Resolve;
};

const ATTEMPT_MS = 10_000;
const REASON_CHARS_MAX = 300;

/** How many go at once: a webhook is answered for each, a stream is confirmed by its orderly end. */
export const AT_ONCE: Readonly<Record<Target["kind"], number>> = { webhook: 1, syslog: 100 };

/** In order, all or none as far as is known: after a failure some may have arrived. Never throws. `agent` keeps a
 *  webhook's connection between messages. */
export async function send(
  deps: SendDeps,
  target: Target,
  messages: readonly Message[],
  stopping: AbortSignal,
  agent: Agent,
): Promise<Outcome> {
  const ms = deps.attemptMs ?? ATTEMPT_MS;
  const late = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([stopping, late]);
  const over = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }); // a resolver heeds no signal
  });
  try {
    return await Promise.race([over, sendAll(deps, target, messages, signal, agent)]);
  } catch (error) {
    const reason = late.aborted ? `It did not answer within ${ms / 1_000} s.` : words(error as Error);
    return { ok: false, reason: plain(reason, REASON_CHARS_MAX) }; // a certificate's names are in some
  }
}

/** OpenSSL's own line begins with numbers and ends with its files. */
const words = ({ message, library, reason }: Error & { library?: unknown; reason?: unknown }): string =>
  typeof library === "string" && typeof reason === "string" ? `${library}: ${reason}` : message;

async function sendAll(
  deps: SendDeps,
  target: Target,
  messages: readonly Message[],
  signal: AbortSignal,
  agent: Agent,
): Promise<Outcome> {
  if (target.kind === "syslog") return writeAll(deps, target, messages, signal);
  for (const message of messages) {
    const outcome = await postOne(deps, target, message, signal, agent);
    if (!outcome.ok) return outcome;
  }
  return { ok: true };
}
