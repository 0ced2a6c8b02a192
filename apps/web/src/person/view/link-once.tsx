"use client";
import { Button } from "../../ui/button.tsx";
import { Copy } from "../../ui/copy.tsx";

/** A link that is shown this once. `life` as in "for a week". */
export function LinkOnce({ code, life, onDone }: { code: string; life: string; onDone: () => void }) {
  const link = `${window.location.origin}/invite?code=${code}`;
  return (
    <div className="grid gap-3">
      <pre
        className="mono rounded-[8px] border border-line bg-sunk p-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]"
        data-invite-link
      >
        {link}
      </pre>
      <p className="text-ink-2">It works once, {life}, and is not shown again. Send it by a way you trust.</p>
      <div className="flex justify-end gap-2">
        <Copy text={link} label="Copy" className="border border-line px-2 py-1" />
        <Button look="main" onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}
