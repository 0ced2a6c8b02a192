/** A command's life: sent → received → done, failed or expired. Pure: what the console shows, and what it may believe. */
import { fail, ok, type Result } from "../base/result.ts";
import { unreachable } from "../base/unreachable.ts";
import { CommandDone, PolicyRefused } from "../record/agent.ts";
import { CommandReceived } from "../record/command.ts";

/** `expired` by the workstation is its word that it was never begun; by the console it is only a time that has passed
 *  with no word: what a workstation that was away says later stands against it. */
export type CommandState =
  | { state: "sent"; at: string }
  | { state: "received"; at: string }
  | { state: "done"; at: string; reason?: string }
  | { state: "failed"; at: string; reason: string }
  | { state: "expired"; at: string; by: "workstation" | "console" };

export type CommandEvent =
  | { event: "received"; at: string }
  | { event: "done"; at: string; reason?: string }
  | { event: "failed"; at: string; reason: string }
  /** The workstation did not believe it; its reason is on its trail. */
  | { event: "refused"; at: string; reason: string }
  | { event: "expired"; at: string; by: "workstation" | "console" };

/** The next state, or why the event changes nothing. Doing it twice is doing it once. */
export function advance(before: CommandState, event: CommandEvent): Result<CommandState> {
  const stands = () => fail(`a command that is ${before.state} does not become ${event.event}`);
  switch (before.state) {
    case "sent":
      return ok(stateAfter(event));
    case "received":
      // the console's clock does not end what dom0 is at
      if (event.event === "received" || event.event === "refused") return stands();
      return event.event === "expired" && event.by === "console" ? stands() : ok(stateAfter(event));
    case "expired":
      return before.by === "workstation" || event.event === "expired" ? stands() : ok(stateAfter(event));
    case "done":
    case "failed":
      return stands();
    default:
      return unreachable(before);
  }
}

function stateAfter(event: CommandEvent): CommandState {
  const { at } = event;
  switch (event.event) {
    case "received":
      return { state: "received", at };
    case "done":
      return { state: "done", at, ...(event.reason !== undefined && { reason: event.reason }) };
    case "failed":
      return { state: "failed", at, reason: event.reason };
    case "refused":
      return { state: "failed", at, reason: `The workstation refused it: ${event.reason}` };
    case "expired":
      return { state: "expired", at, by: event.by };
    default:
      return unreachable(event);
  }
}

/** A command by its id, or by its statement's digest where the workstation did not believe it. */
export type Which = { command: string } | { digest: string };

/** What a record on the workstation's trail says of a command; nothing for a record that speaks of none. */
export function eventOf(kind: string, untrusted: unknown, at: string): { of: Which; event: CommandEvent } | undefined {
  switch (kind) {
    case "command.received": {
      const read = CommandReceived.safeParse(untrusted);
      return read.success ? { of: { command: read.data.command }, event: { event: "received", at } } : undefined;
    }
    case "command.done": {
      const read = CommandDone.safeParse(untrusted);
      return read.success ? { of: { command: read.data.command }, event: endOf(read.data, at) } : undefined;
    }
    case "policy.refused": {
      const read = PolicyRefused.safeParse(untrusted);
      if (!read.success || read.data.type !== "command" || read.data.digest === undefined) return undefined;
      const { digest, code, reason } = read.data;
      const isLate = code === "expired";
      return {
        of: { digest },
        event: isLate ? { event: "expired", at, by: "workstation" } : { event: "refused", at, reason },
      };
    }
    default:
      return undefined;
  }
}

function endOf({ outcome, reason }: CommandDone, at: string): CommandEvent {
  switch (outcome) {
    case "done":
      return { event: "done", at, ...(reason !== undefined && { reason }) };
    case "failed":
      return { event: "failed", at, reason: reason ?? "it gave no reason" };
    case "expired":
      return { event: "expired", at, by: "workstation" };
    default:
      return unreachable(outcome);
  }
}
