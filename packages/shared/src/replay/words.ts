/** Inputs and results in words, for a page and a terminal alike. What a device or a guest said is shown escaped. Pure. */
import { plural } from "../base/count.ts";
import { escapeForDisplay } from "../base/escape.ts";
import { unreachable } from "../base/unreachable.ts";
import { countFlips, FLIP_WORDS, FLIPS } from "./flip.ts";
import type { Input } from "./input.ts";
import type { ReplayResult } from "./result.ts";

const CHARS_MAX = 300;
const cut = (text: string): string => escapeForDisplay(text).slice(0, CHARS_MAX).toWellFormed();

export function inputWords(input: Input): string {
  switch (input.kind) {
    case "device": {
      const { id, name, serial, interfaces } = input.facts;
      return cut(`device ${id} ${JSON.stringify(name)} serial ${JSON.stringify(serial)} (${interfaces.join(", ")})`);
    }
    case "scan":
      return `a stick with ${input.files} files`;
    case "net": {
      const { from, to, source, destination, port, protocol } = input;
      const end = (side: string, address: string | undefined) => address ?? `the ${side}`;
      return cut(
        `${protocol} ${end(from, source)} → ${end(to, destination)}${port === undefined ? "" : ` port ${port}`}`,
      );
    }
    case "alert": {
      const { generator, signatureId, signature, source = "?", destination = "?" } = input;
      return cut(`[${generator}:${signatureId}] ${signature}, ${source} → ${destination}`);
    }
    case "lines":
      return `a minute of lines by ${input.via}`;
    default:
      return unreachable(input);
  }
}

/** A stick is known by what it says of itself at its port, or by its contents. */
export function stickOf(input: Input): { key: string; name: string } | undefined {
  if (input.kind === "device") {
    const { id, serial, name } = input.facts;
    return { key: `${id}/${serial}`.slice(0, CHARS_MAX), name: cut(`${id} ${JSON.stringify(name)} ${serial}`.trim()) };
  }
  if (input.kind !== "scan" || !input.facts.image) return undefined;
  const { sha256 } = input.facts.image;
  return { key: sha256, name: `image ${sha256.slice(0, 12)}` };
}

/** One sentence, the ways with most flips first. */
export function headline({ decisions, flips }: Pick<ReplayResult, "decisions" | "flips">): string {
  const all = plural(decisions, "recorded decision");
  if (decisions === 0) return "Nothing is recorded in that time: the replay says nothing about this policy.";
  const found = FLIPS.filter((flip) => flips[flip] > 0).sort((a, b) => flips[b] - flips[a]);
  if (found.length === 0) return `Of ${all} none comes out otherwise.`;
  const words = found.map((flip) => `${flips[flip].toLocaleString("en")} ${FLIP_WORDS[flip]}`);
  return `Of ${all} ${countFlips(flips).toLocaleString("en")} come out otherwise: ${words.join("; ")}.`;
}

const SHOWN_MAX = 10;

export function resultText(result: ReplayResult): string {
  const tops = (["rule", "workstation", "stick", "guest"] as const).flatMap((subject) => {
    const { rows, others } = result.by[subject];
    if (rows.length === 0) return [];
    const lines = rows.slice(0, SHOWN_MAX).map(({ name, flips }) => `  ${name}: ${flipWords(flips)}`);
    const more = rows.slice(SHOWN_MAX).reduce((sum, { flips }) => sum + countFlips(flips), countFlips(others));
    return [`By ${subject}:`, ...lines, ...(more > 0 ? [`  and others: ${more.toLocaleString("en")}`] : [])];
  });
  const examples = result.examples
    .slice(0, SHOWN_MAX)
    .map(
      ({ flip, words, workstation, trail, index, before, after }) =>
        `  ${flip}: ${words}, on ${workstation.name}, record ${trail}/${index}: ${before}; now ${after}`,
    );
  const unknown = result.unknown.map(({ why, decisions }) => `  ${decisions.toLocaleString("en")}: ${why}`);
  return [
    headline(result),
    ...tops,
    ...(examples.length > 0 ? ["Examples:", ...examples] : []),
    ...(unknown.length > 0 ? ["Not known:", ...unknown] : []),
    ...(result.notes.length > 0 ? ["What a replay cannot know:", ...result.notes.map((note) => `  ${note}`)] : []),
  ]
    .map(escapeForDisplay)
    .join("\n");
}

const flipWords = (flips: ReplayResult["flips"]): string =>
  FLIPS.filter((flip) => flips[flip] > 0)
    .map((flip) => `${flips[flip].toLocaleString("en")} ${flip}`)
    .join(", ");
