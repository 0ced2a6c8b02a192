/** `sallyport policy replay`: a candidate over what the console has recorded, through its API, by an API token. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { type Condition, holds, measured, readCondition } from "@sallyport/shared/replay/fail-on.ts";
import { countFlips, type Flips } from "@sallyport/shared/replay/flip.ts";
import { ReplayResult } from "@sallyport/shared/replay/result.ts";
import { readSince } from "@sallyport/shared/replay/since.ts";
import { resultText } from "@sallyport/shared/replay/words.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { addressOf, fetchConsole, silent } from "./reach.ts";

export type ReplayAsked = {
  url: string;
  token: string;
  group: string;
  since: string;
  source?: string;
  order?: number;
  failOn: readonly string[];
  /** How far it is, in words. */
  progress: (text: string) => void;
};

const Against = z.object({
  group: z.object({ id: z.string(), name: z.string() }),
  order: z.number().nullable(),
  since: z.string(),
  at: z.string(),
});
const Line = z.object({
  against: Against.optional(),
  progress: z.object({ share: z.number(), decisions: z.number(), flips: z.record(z.string(), z.number()) }).optional(),
  result: ReplayResult.optional(),
  error: z.string().optional(),
});
type Against = z.infer<typeof Against>;
/** A result has bounds of its own; a longer line is none of the console's. */
const LINE_CHARS_MAX = 16 * 1024 * 1024;

/** Exit code 3 where a condition holds. */
export async function replayPolicy(asked: ReplayAsked): Promise<{ value: object; text: string; exitCode: 0 | 3 }> {
  const since = readSince(asked.since, Date.now());
  if (!since.ok) throw new Fault(`--since: ${since.error}.`);
  const conditions = asked.failOn.map(conditionOf);
  const { against, result } = await ask(asked);
  const failed = conditions.filter((condition) => holds(condition, result));
  const said = failed.map(
    ({ measure, operator, than }) => `${measure} is ${measured(result, measure)}, and fails on ${operator} ${than}`,
  );
  const inForce = against.order === null ? "the strict defaults" : `r${against.order}`;
  const head = `Against ${inForce} of ${against.group.name}, since ${against.since}:`;
  return {
    value: { against, failed: said, ...result },
    text: [escapeForDisplay(head), resultText(result), ...said.map((each) => `Failed: ${each}.`)].join("\n"),
    exitCode: failed.length > 0 ? 3 : 0,
  };
}

function conditionOf(text: string): Condition {
  const read = readCondition(text);
  if (!read.ok) throw new Fault(`--fail-on: ${read.error}.`);
  return read.value;
}

async function ask(asked: ReplayAsked): Promise<{ against: Against; result: ReplayResult }> {
  const { url, token, group, since, source, order } = asked;
  const address = addressOf(url, "/api/replay");
  try {
    const body = JSON.stringify({ group, since, source, order });
    const response = await fetchConsole(address, token, { method: "POST", body });
    if (!response.ok || !response.body) throw refused(response.status, await response.text());
    let against: Against | undefined;
    for await (const line of linesOf(response.body)) {
      const read = Line.parse(JSON.parse(line));
      if (read.error !== undefined) throw new Fault(`The replay broke off: ${escapeForDisplay(read.error)}`);
      against ??= read.against;
      if (read.progress) asked.progress(progressWords(read.progress));
      if (read.result && against) return { against, result: read.result };
    }
    throw new Fault("The replay broke off before it was through. Ask again.");
  } catch (error) {
    if (error instanceof Fault) throw error;
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      throw new Fault("The console's answer is not understood: is it older than this command?", 1, { cause: error });
    throw silent(address, error);
  }
}

const progressWords = ({ share, decisions, flips }: { share: number; decisions: number; flips: object }): string =>
  `${Math.round(share * 100)} %: ${decisions.toLocaleString("en")} decisions, ${countFlips(flips as Flips).toLocaleString("en")} come out otherwise`;

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > LINE_CHARS_MAX) throw new Fault("The console's answer does not end.");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
}

/** It understood and says no, which a pipeline may tell from a fault of its own. */
function refused(status: number, text: string): Fault {
  let reason = text.slice(0, 200);
  try {
    const said = (JSON.parse(text) as { error?: unknown }).error;
    reason = typeof said === "string" ? said : ((said as { message?: string } | undefined)?.message ?? reason);
  } catch {} // not our answer, then: shown as it is
  const isNo = status === 400 || status === 404 || status === 412;
  return new Fault(`The console refused (${status}): ${escapeForDisplay(reason)}`, isNo ? 3 : 1);
}
