"use client";
/** Alerts that were chosen in the list, triaged with one note; each has its own record on the console's trail. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApiClient } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { count, plural } from "../../ui/bytes.ts";
import { useTell } from "../../ui/toast.tsx";
import type { AlertRow, AlertState } from "../store.ts";

type Props = {
  chosen: ReadonlyMap<string, AlertRow>;
  /** What they are now: what is acknowledged can only be closed. */
  now: "open" | "acknowledged";
  onNone: () => void;
};

/** One after the other: what somebody else was faster with is told, and stops none of the others. */
export function ChosenAlerts({ chosen, now, onNone }: Props) {
  const client = useApiClient();
  const queries = useQueryClient();
  const tell = useTell();
  const [isPending, setPending] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const button = (event.nativeEvent as SubmitEvent).submitter;
    const state: AlertState =
      button instanceof HTMLButtonElement && button.value === "closed" ? "closed" : "acknowledged";
    const note = String(new FormData(event.currentTarget).get("note"));
    setPending(true);
    const failed: string[] = [];
    for (const { id, title } of chosen.values())
      await client.alert.triage
        .mutate({ id, state, note })
        .catch((error: Error) => failed.push(`${title}: ${error.message}`));
    await queries.invalidateQueries();
    setPending(false);
    const done = chosen.size - failed.length;
    if (done > 0) tell.done(`${plural(done, "alert")} ${state}. Each is on the console’s trail under your name.`);
    if (failed.length > 0) tell.failed(`${count(failed.length)} not ${state}.\n${failed.slice(0, 5).join("\n")}`);
    onNone();
  };
  return (
    <form
      onSubmit={(event) => void submit(event)}
      aria-label="Chosen alerts"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-pick px-5 py-1.5"
    >
      <b className="font-medium" aria-live="polite">
        {count(chosen.size)} chosen
      </b>
      <Button look="bare" onClick={onNone}>
        Choose none
      </Button>
      <input
        name="note"
        aria-label="Note for all that are chosen"
        placeholder="What you saw and what you did about it"
        required
        minLength={3}
        maxLength={2000}
        className="min-w-[200px] flex-1 rounded-[6px] border border-line-strong bg-panel px-2 py-1"
      />
      {now === "open" && (
        <Button look="main" type="submit" value="acknowledged" disabled={isPending}>
          Acknowledge {count(chosen.size)}
        </Button>
      )}
      <Button type="submit" value="closed" disabled={isPending}>
        Close {count(chosen.size)}
      </Button>
    </form>
  );
}
