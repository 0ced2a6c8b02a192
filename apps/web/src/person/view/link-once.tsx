"use client";
import { ShownOnce } from "../../ui/shown-once.tsx";

/** A link that is shown this once. `life` as in "for a week". */
export function LinkOnce({ code, life, onDone }: { code: string; life: string; onDone: () => void }) {
  return (
    <ShownOnce text={`${window.location.origin}/invite?code=${code}`} onDone={onDone}>
      It works once, {life}, and is not shown again. Send it by a way you trust.
    </ShownOnce>
  );
}
