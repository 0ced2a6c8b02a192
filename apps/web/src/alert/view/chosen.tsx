"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** Alerts that were chosen in the list, triaged with one note; each has its own record on the console's trail. */
import { useQueryClient } from "@tanstack/react-query";
import { TRPCClientError } from "@trpc/client";
import { type FormEvent, useState } from "react";
import { useApiClient } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { useTell } from "../../ui/toast.tsx";
import type { AlertRow, AlertState } from "../store.ts";

type Props = {
  chosen: ReadonlyMap<string, AlertRow>;
  /** How many were chosen and are not listed any more: nobody sees them, so nothing is done to them. */
  left: number;
  /** What they are now: what is acknowledged can only be closed. */
  now: "open" | "acknowledged";
  /** Those that are still chosen afterwards. */
  onChoose: (left: ReadonlyMap<string, AlertRow>) => void;
};

/** Somebody was faster, or it is gone: asking again would not help. */
const OVER = new Set(["CONFLICT", "NOT_FOUND"]);
const isOver = (error: unknown): boolean => error instanceof TRPCClientError && OVER.has(error.data?.code);

/** One after the other: what somebody else was faster with is told, and stops none of the others. What failed otherwise
 *  stays chosen, and the note stays written. */
export function ChosenAlerts({ chosen, left, now, onChoose }: Props) {
  const client = useApiClient();
  const queries = useQueryClient();
  const tell = useTell();
  /** How many of how many were asked for so far; undefined while none are. Each leaves the list as it is done. */
  const [asked, setAsked] = useState<{ done: number; all: number }>();
  const isPending = asked !== undefined;
  const all = asked?.all ?? chosen.size;
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const button = (event.nativeEvent as SubmitEvent).submitter;
    const state: AlertState =
      button instanceof HTMLButtonElement && button.value === "closed" ? "closed" : "acknowledged";
    const note = String(new FormData(event.currentTarget).get("note"));
    const failed: string[] = [];
    const still = new Map<string, AlertRow>();
    for (const [at, [key, row]] of [...chosen].entries()) {
      setAsked({ done: at, all: chosen.size });
      await client.alert.triage.mutate({ id: row.id, state, note }).catch((error: Error) => {
        failed.push(`${row.title}: ${error.message}`);
        if (!isOver(error)) still.set(key, row);
      });
    }
    await queries.invalidateQueries();
    setAsked(undefined);
    const done = chosen.size - failed.length;
    if (done > 0) tell.done(`${plural(done, "alert")} ${state}. Each is on the console’s trail under your name.`);
    if (failed.length > 0) tell.failed(`${count(failed.length)} not ${state}.\n${failed.slice(0, 5).join("\n")}`);
    onChoose(still);
  };
  return (
    <form
      onSubmit={(event) => void submit(event)}
      aria-label="Chosen alerts"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-pick px-5 py-1.5"
    >
      <b className="font-medium" aria-live="polite">
        {count(all)} chosen
      </b>
      {left > 0 && !isPending && (
        <span className="text-ink-2">{count(left)} more not listed now, left as they are</span>
      )}
      {isPending && <span className="text-ink-2">{count(asked.done)} done</span>}
      <Button look="bare" disabled={isPending} onClick={() => onChoose(new Map())}>
        Choose none
      </Button>
      <input
        name="note"
        aria-label="Note for all that are chosen"
        placeholder="What you saw and what you did about it"
        required
        minLength={3}
        maxLength={2000}
        readOnly={isPending}
        className="min-w-[200px] flex-1 rounded-[6px] border border-line-strong bg-panel px-2 py-1"
      />
      {now === "open" && (
        <Button look="main" type="submit" value="acknowledged" disabled={isPending || chosen.size === 0}>
          Acknowledge {count(all)}
        </Button>
      )}
      <Button type="submit" value="closed" disabled={isPending || chosen.size === 0}>
        Close {count(all)}
      </Button>
    </form>
  );
}
