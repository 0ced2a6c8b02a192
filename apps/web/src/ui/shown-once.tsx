"use client";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { Copy } from "./copy.tsx";

/** What is shown this once, to be copied. `children` says what it is for. */
export function ShownOnce({ text, children, onDone }: { text: string; children: ReactNode; onDone: () => void }) {
  return (
    <div className="grid gap-3">
      <pre
        className="mono rounded-[8px] border border-line bg-sunk p-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]"
        data-shown-once
      >
        {text}
      </pre>
      <p className="text-ink-2">{children}</p>
      <div className="flex justify-end gap-2">
        <Copy text={text} label="Copy" className="border border-line px-2 py-1" />
        <Button look="main" onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}
