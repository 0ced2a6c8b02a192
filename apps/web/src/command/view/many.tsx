"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** Telling many workstations one thing: what will become of it at each is said before it is signed, and what became of it
 *  afterwards. Each gets a statement and a record of its own. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { VERB_RULES } from "@sallyport/shared/command/verb.ts";
import { useMutation, useQueries } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Why } from "../../ui/field.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { type Chosen, type Foreseen, foreseen, ManyVerb, STATES_MAX } from "../many.ts";
import type { Stands } from "../store.ts";
import type { Answer } from "../tell.ts";
import { standing, VERB_WORDS } from "../words.ts";
import { Effect, Which, Within } from "./ask.tsx";

const EVERY_MS = 3_000;
const WIDTH = 620;

type Props = { chosen: readonly Chosen[]; first: ManyVerb; onClose: () => void };

export function TellMany({ chosen, first, onClose }: Props) {
  const api = useApi();
  const [verb, setVerb] = useState(first);
  const tell = useMutation(api.command.tell.mutationOptions());
  // as they were when the dialog opened: another name by now is refused
  const [seen] = useState(chosen);
  const each = seen.map((row) => ({ row, will: foreseen(verb, row) }));
  const told = each.filter(({ will }) => will.will !== "not");
  const waiting = each.filter(({ will }) => will.will === "wait").length;
  const title = `Tell ${plural(seen.length, "workstation")} to do something`;
  const left = each.flatMap(({ row, will }): Answer[] =>
    will.will === "not" ? [{ workstation: row.id, name: row.name, refused: will.why }] : [],
  );
  if (tell.data)
    return <Answers answers={[...tell.data, ...left]} title={`${VERB_WORDS[verb]}: what was told`} onClose={onClose} />;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const minutes = Number(form.get("minutes"));
    const until = new Date(Date.now() + minutes * 60_000).toISOString();
    tell.mutate({
      targets: told.map(({ row, will }) => ({
        workstation: row.id as WorkstationId,
        name: row.name,
        ...(will.will !== "not" && will.guest !== undefined && { arguments: { guest: will.guest } }),
      })),
      ...{ verb, minutes, reason: String(form.get("reason")) },
      arguments: verb === "isolate" ? { until } : {},
    });
  };
  return (
    // who was told is answered here: it stays until it is
    <Dialog open onClose={() => !tell.isPending && onClose()} title={title} width={WIDTH}>
      <form onSubmit={submit} className="grid gap-3">
        <Which verb={verb} verbs={ManyVerb.options} onChoose={setVerb} />
        <Effect rule={VERB_RULES[verb]} />
        <ul
          aria-label="What becomes of it at each"
          className="grid max-h-[24vh] gap-1 overflow-auto rounded-[8px] border border-line bg-sunk p-2.5"
        >
          {each.map(({ row, will }) => (
            <li key={row.id} className="grid grid-cols-[minmax(0,1fr)_minmax(0,1.3fr)] items-baseline gap-3">
              <span className="mono [overflow-wrap:anywhere]">
                <Untrusted text={row.name} />
              </span>
              <Will will={will} threshold={row.group.threshold} />
            </li>
          ))}
        </ul>
        <Within verb={verb} />
        <Why
          maxLength={300}
          placeholder={verb === "isolate" ? "they speak to a stranger" : undefined}
          hint="Stands on the console’s own trail, once for each of them."
          fault={tell.error?.message}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose} disabled={tell.isPending}>
            Cancel
          </Button>
          <Button
            look={verb === "isolate" || verb === "pause" ? "danger" : "main"}
            type="submit"
            disabled={tell.isPending || told.length === 0}
          >
            {tell.isPending ? "Signing…" : buttonWords(told.length, waiting)}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function buttonWords(all: number, waiting: number): string {
  if (all === 0) return "Nobody can be told this";
  if (waiting === 0) return `Sign and send to ${count(all)}`;
  if (waiting === all) return `Ask for signatures for ${count(all)}`;
  return `Sign and send to ${count(all - waiting)}, ask for ${count(waiting)}`;
}

function Will({ will, threshold }: { will: Foreseen; threshold: number }) {
  if (will.will === "not") return <span className="text-hold">◐ is not told: {will.why}</span>;
  if (will.will === "wait") return <span className="text-hold">◐ waits for {threshold} signatures in all</span>;
  return <span className="text-ink-2">is told at once{will.guest === undefined ? "" : `, of ${will.guest}`}</span>;
}

function Answers({ answers, title, onClose }: { answers: readonly Answer[]; title: string; onClose: () => void }) {
  const api = useApi();
  const ids = answers.flatMap((each) => ("command" in each && !each.waits ? [each.command] : []));
  const parts = Array.from({ length: Math.ceil(ids.length / STATES_MAX) }, (_, at) =>
    ids.slice(at * STATES_MAX, (at + 1) * STATES_MAX),
  );
  const asked = useQueries({
    queries: parts.map((part) => ({ ...api.command.states.queryOptions({ ids: part }), refetchInterval: EVERY_MS })),
  });
  const states = new Map(asked.flatMap(({ data }) => data ?? []).map((each) => [each.id, each]));
  const no = answers.filter((each) => "refused" in each).length;
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      width={WIDTH}
      description={
        no > 0
          ? `${count(no)} of ${plural(answers.length, "workstation")} ${no === 1 ? "was" : "were"} not told.`
          : `${plural(answers.length, "workstation")}, each with a statement and a record of its own.`
      }
    >
      <ul aria-label="What came of it at each" className="grid max-h-[46vh] gap-1 overflow-auto">
        {answers.map((each) => (
          <li key={each.workstation} className="grid grid-cols-[minmax(0,1fr)_minmax(0,1.6fr)] items-baseline gap-3">
            <Link href={`/workstations/${each.workstation}`} className="mono hover:underline [overflow-wrap:anywhere]">
              <Untrusted text={each.name} />
            </Link>
            <Came answer={each} stands={"command" in each ? states.get(each.command) : undefined} />
          </li>
        ))}
      </ul>
      <div className="mt-4 flex justify-end">
        <Button onClick={onClose} look="main">
          Close
        </Button>
      </div>
    </Dialog>
  );
}

function Came({ answer, stands }: { answer: Answer; stands: Stands | undefined }) {
  if ("refused" in answer)
    return (
      <span className="[overflow-wrap:anywhere]">
        <Mark tone="block">not told</Mark> <span className="text-ink-2">{answer.refused}</span>
      </span>
    );
  if (answer.waits)
    return (
      <span>
        <Mark tone="hold">to be signed</Mark>{" "}
        <Link href="/approvals" className="text-ink-2 underline">
          under Approvals
        </Link>
      </span>
    );
  const { tone, word, reason } = standing(stands?.state ?? { state: "sent", at: "" });
  return (
    <span className="[overflow-wrap:anywhere]">
      <Mark tone={tone}>{word}</Mark>{" "}
      <span className="text-ink-2">
        <Untrusted text={reason} />
      </span>
    </span>
  );
}
