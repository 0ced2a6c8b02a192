"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** Workstations that were chosen in the list, and what they can be told together. */
import { useState } from "react";
import { AT_ONCE_MAX, type ManyVerb } from "../../command/many.ts";
import { TellMany } from "../../command/view/many.tsx";
import { Button } from "../../ui/button.tsx";
import type { WorkstationRow } from "../store.ts";

export type Choice = ReadonlyMap<string, WorkstationRow>;

type Props = {
  choice: Choice;
  /** All that match what is searched for; absent where all of them are listed and chosen already. */
  onAll?: (() => void) | undefined;
  onNone: () => void;
};

export function ChosenBar({ choice, onAll, onNone }: Props) {
  const [verb, setVerb] = useState<ManyVerb>();
  const tooMany = choice.size > AT_ONCE_MAX;
  return (
    <section
      aria-label="Chosen workstations"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-pick px-5 py-1.5"
    >
      <span aria-live="polite">
        <b className="font-medium">{count(choice.size)} chosen</b>
        {tooMany && <span className="text-hold"> ◐ at most {count(AT_ONCE_MAX)} are told at once</span>}
      </span>
      {onAll && (
        <Button look="bare" onClick={onAll}>
          Choose all that match
        </Button>
      )}
      <Button look="bare" onClick={onNone}>
        Choose none
      </Button>
      <span className="flex-1" />
      <Button look="danger" disabled={tooMany} onClick={() => setVerb("isolate")}>
        Isolate…
      </Button>
      <Button disabled={tooMany} onClick={() => setVerb("diagnostics")}>
        Another command…
      </Button>
      {verb && (
        <TellMany
          first={verb}
          chosen={[...choice.values()]
            .sort((a, b) => (a.name < b.name ? -1 : 1))
            .map(({ id, name, state, group, reported }) => ({
              ...{ id, name, state, group },
              guests: reported?.guests ?? [],
            }))}
          onClose={() => setVerb(undefined)}
        />
      )}
    </section>
  );
}
