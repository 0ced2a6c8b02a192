/** Commands in words: what each is called, what one of them says, how it stands. Pure. */
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { CommandState } from "@sallyport/shared/command/state.ts";
import { VERB_RULES, VERBS, type Verb } from "@sallyport/shared/command/verb.ts";

export const VERB_WORDS: Record<Verb, string> = {
  isolate: "Isolate",
  release: "End the isolation",
  pause: "Pause a guest",
  resume: "Resume a guest",
  "destroy-guest": "End a guest",
  rescan: "Scan held images again",
  diagnostics: "Collect diagnostics",
  wipe: "Wipe a volume",
  "start-guest": "Start a guest",
};

/** As a person looks for them: each followed by what takes it back. */
export const VERBS_SHOWN: readonly Verb[] = [
  ...new Set(VERBS.flatMap((verb) => [verb, VERB_RULES[verb].inverse ?? verb])),
];

/** What the workstation's own answer is called, which the console's word for a time that has passed is not. */
export function standing(state: CommandState): {
  tone: "allow" | "hold" | "block" | "info";
  word: string;
  reason: string;
} {
  switch (state.state) {
    case "sent":
      return { tone: "hold", word: "sent", reason: "The workstation has not answered yet." };
    case "received":
      return { tone: "hold", word: "received", reason: "It is on dom0’s disk and will be begun, or has been." };
    case "done":
      return { tone: "allow", word: "done", reason: state.reason ?? "" };
    case "failed":
      return { tone: "block", word: "failed", reason: state.reason };
    case "expired":
      return {
        tone: "info",
        word: "expired",
        reason:
          state.by === "workstation"
            ? "The workstation says that it was never begun."
            : "No word came of it in time. What the workstation may say later stands against this.",
      };
    default:
      return unreachable(state);
  }
}

/** `until 11-24 19:00Z`, a guest's id, a volume's; nothing for a verb that takes no argument. */
export function argumentWords(given: Record<string, unknown>): string {
  return Object.entries(given)
    .map(([name, value]) =>
      name === "until" && typeof value === "string" ? `until ${value.slice(5, 16).replace("T", " ")}Z` : String(value),
    )
    .join(" ");
}
