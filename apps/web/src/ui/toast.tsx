"use client";
/** What just happened, told once, in a corner; a failure stays until it is read. */
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";

type Told = { id: number; tone: "done" | "failed"; text: string };
type Tell = { done: (text: string) => void; failed: (error: unknown) => void };

const STAYS_MS = 5000;
const SHOWN_MAX = 4;
const TellContext = createContext<Tell | null>(null);

export function useTell(): Tell {
  const tell = useContext(TellContext);
  if (!tell) throw new Error("useTell outside of <Toasts>");
  return tell;
}

let next = 0;

export function Toasts({ children }: { children: ReactNode }) {
  const [told, setTold] = useState<Told[]>([]);
  const drop = useCallback((id: number) => setTold((all) => all.filter((each) => each.id !== id)), []);
  const tell = useMemo<Tell>(() => {
    const add = (tone: Told["tone"], text: string) => {
      const id = next++;
      setTold((all) => [...all, { id, tone, text }].slice(-SHOWN_MAX));
      if (tone === "done") setTimeout(() => drop(id), STAYS_MS);
    };
    return {
      done: (text) => add("done", text),
      failed: (error) => add("failed", error instanceof Error ? error.message : String(error)),
    };
  }, [drop]);
  return (
    <TellContext value={tell}>
      {children}
      <div className="fixed right-4 bottom-4 z-60 grid w-[360px] gap-2" role="status" aria-live="polite">
        {told.map(({ id, tone, text }) => (
          <div
            key={id}
            className="flex items-start gap-2.5 rounded-[8px] border border-line bg-panel px-3 py-2"
            style={{ boxShadow: "var(--shadow)" }}
          >
            <span className={tone === "done" ? "text-allow" : "text-block"}>{tone === "done" ? "●" : "■"}</span>
            <p className="min-w-0 flex-1 whitespace-pre-line [overflow-wrap:anywhere]">{text}</p>
            <button type="button" aria-label="Dismiss" className="text-ink-3 hover:text-ink" onClick={() => drop(id)}>
              ×
            </button>
          </div>
        ))}
      </div>
    </TellContext>
  );
}
