"use client";
/** POST /api/replay → where a replay stands, line by line as it comes. It ends when the page goes, or when it is stopped. */
import { ReplayResult } from "@sallyport/shared/replay/result.ts";
import { useCallback, useEffect, useRef, useState } from "react";
import { z } from "zod";

export type Candidate = { source: string } | { order: number };

const Against = z.object({
  group: z.object({ id: z.string(), name: z.string() }),
  order: z.number().nullable(),
  since: z.string(),
  at: z.string(),
});
const Progress = z.object({ share: z.number(), decisions: z.number() });
const Line = z.object({
  against: Against.optional(),
  progress: Progress.optional(),
  result: ReplayResult.optional(),
  error: z.string().optional(),
});
export type Against = z.infer<typeof Against>;
export type Standing =
  | { state: "none" }
  | { state: "running"; share: number; decisions: number }
  | { state: "stopped" }
  | { state: "failed"; reason: string }
  | { state: "done"; against: Against; result: ReplayResult; candidate: Candidate };

export type Asked = { group: string; since: string; candidate: Candidate };

export function useReplay(): { standing: Standing; start: (asked: Asked) => void; stop: () => void } {
  const [standing, setStanding] = useState<Standing>({ state: "none" });
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const start = useCallback((asked: Asked) => {
    running.current?.abort();
    const stopping = new AbortController();
    running.current = stopping;
    const { signal } = stopping;
    setStanding({ state: "running", share: 0, decisions: 0 });
    const tell = (next: Standing) => {
      if (!signal.aborted) setStanding(next);
    };
    run(asked, signal, tell).catch((error: Error) => tell({ state: "failed", reason: error.message }));
  }, []);

  const stop = useCallback(() => {
    running.current?.abort();
    setStanding({ state: "stopped" });
  }, []);
  return { standing, start, stop };
}

async function run(
  { group, since, candidate }: Asked,
  signal: AbortSignal,
  tell: (standing: Standing) => void,
): Promise<void> {
  const response = await fetch("/api/replay", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ group, since, ...candidate }),
    signal,
  });
  if (!response.ok || !response.body) throw new Error(reasonOf(await response.text()));
  let against: Against | undefined;
  for await (const text of linesOf(response.body)) {
    const line = Line.parse(JSON.parse(text));
    if (line.error !== undefined) throw new Error(line.error);
    against ??= line.against;
    if (line.progress) tell({ state: "running", ...line.progress });
    if (line.result && against) return tell({ state: "done", against, result: line.result, candidate });
  }
  throw new Error("The replay broke off before it was through. Run it again.");
}

function reasonOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: string | { message?: string } };
    return (typeof error === "string" ? error : error?.message) ?? text;
  } catch {
    return "The console does not answer. Try again in a moment.";
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      yield* lines.filter((line) => line !== "");
    }
  } finally {
    await reader.cancel().catch(() => undefined); // aborted already
  }
}
