"use client";
/** What one workstation was told, what came of it, and telling it something. */
import { VERB_RULES, type Verb } from "@sallyport/shared/command/verb.ts";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { More } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { PartTable } from "../../ui/part-table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { WorkstationRow } from "../../workstation/store.ts";
import type { Listed } from "../store.ts";
import { argumentWords, standing, VERB_WORDS, VERBS_SHOWN } from "../words.ts";
import { Ask } from "./ask.tsx";

const EVERY_MS = 3_000;

export function Commands({ row }: { row: WorkstationRow }) {
  const api = useApi();
  const mayAsk = useMay("command");
  const mayDestroy = useMay("destroy");
  const [asking, setAsking] = useState<Verb>();
  const told = useInfiniteQuery({
    ...api.command.list.infiniteQueryOptions({ workstation: row.id }, { getNextPageParam: ({ next }) => next }),
    refetchInterval: pace(EVERY_MS),
  });
  const commands = rowsOf(told.data?.pages, ({ id }) => id);
  const verbs = VERBS_SHOWN.filter((verb) => mayDestroy || VERB_RULES[verb].role === "responder");
  const takes = mayAsk && row.state === "enrolled";
  return (
    <Card
      title="Commands"
      aside={
        takes ? (
          <span className="flex gap-2">
            <Button look="danger" onClick={() => setAsking("isolate")}>
              Isolate…
            </Button>
            <Button onClick={() => setAsking("diagnostics")}>Another command…</Button>
          </span>
        ) : undefined
      }
    >
      {told.isError ? (
        <Fault message={told.error.message} again={() => void told.refetch()} />
      ) : commands.length > 0 ? (
        <>
          <Told commands={commands} />
          <More pages={told}>Show older ones</More>
        </>
      ) : told.isPending ? (
        <Waiting inside />
      ) : (
        <p className="text-ink-2">
          It was told nothing yet. A command is signed, does one thing once, and expires; its answer stands on the
          workstation’s own trail.
        </p>
      )}
      {asking && <Ask row={row} first={asking} verbs={verbs} onClose={() => setAsking(undefined)} />}
    </Card>
  );
}

function Told({ commands }: { commands: Listed[] }) {
  return (
    <PartTable heads={["State", "Command", "What came of it", "Why", "Asked", "Taken until"]}>
      {commands.map((command) => (
        <Line key={command.id} command={command} />
      ))}
    </PartTable>
  );
}

function Line({ command }: { command: Listed }) {
  const { tone, word, reason } = standing(command.state);
  return (
    <tr className="border-b border-line align-baseline last:border-b-0 [&>td]:py-1 [&>td]:pr-4">
      <td className="whitespace-nowrap">
        <Mark tone={tone}>{word}</Mark>
      </td>
      <td>
        <span className="whitespace-nowrap">{VERB_WORDS[command.verb]}</span>{" "}
        <span className="mono text-ink-2 [overflow-wrap:anywhere]">{argumentWords(command.arguments)}</span>
      </td>
      <td className="min-w-[150px] text-ink-2 [overflow-wrap:anywhere]">
        <Untrusted text={reason} />
      </td>
      <td className="min-w-[120px] [overflow-wrap:anywhere]">
        <Untrusted text={command.reason} />
      </td>
      <td className="whitespace-nowrap">
        <Ago time={command.askedAt} />
        <span className="block max-w-[200px] truncate text-ink-3" title={command.by}>
          {command.by}
        </span>
      </td>
      <td className="whitespace-nowrap">
        <Ago time={command.notAfter} />
      </td>
    </tr>
  );
}
