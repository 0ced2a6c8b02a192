"use client";
/** One rollout: where it is, what watches it, each workstation with its reason, and what happened. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Dot, Mark } from "../../ui/mark.tsx";
import { More } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Ago, Clock } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RolloutFull } from "../store.ts";
import { Buttons } from "./buttons.tsx";
import { Track } from "./track.tsx";
import { FourCounts, STANDING_TONES, StateMark } from "./words.tsx";

/** As often as the worker looks. */
const EVERY_MS = 5_000;

export function Rollout({ id }: { id: string }) {
  const api = useApi();
  const mayMove = useMay("policy");
  const found = useQuery({ ...api.rollout.get.queryOptions({ id }), refetchInterval: EVERY_MS });
  useTitle(found.data && `r${found.data.order} to ${found.data.group.name}`);
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const rollout = found.data;
  const { state, group } = rollout;
  return (
    <>
      <Header title={`r${rollout.order} to ${group.name}`}>
        <StateMark state={state} />
        <span className="min-w-0 truncate text-ink-2">
          <Untrusted text={rollout.message} /> · begun <Ago time={rollout.startedAt} /> by {rollout.by}
        </span>
        <Grow />
        {mayMove && !rollout.endedAt && <Buttons rollout={rollout} />}
        <ButtonLink href={`/policy/${group.id}`}>Its policy</ButtonLink>
        <ButtonLink href="/rollouts">All rollouts</ButtonLink>
      </Header>
      <div className="grid gap-3.5 px-5 py-4">
        <Said rollout={rollout} />
        <Card
          title="Waves"
          aside={
            <>
              {rollout.towards === "fallback" && <span className="mr-3">back to r{rollout.fallback?.order}:</span>}
              <FourCounts counts={rollout.counts} />
            </>
          }
        >
          <Track rollout={rollout} />
        </Card>
        <div className="grid grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)] items-start gap-3.5">
          <Members rollout={rollout} />
          <div className="grid min-w-0 gap-3.5">
            <Guards rollout={rollout} />
            <Events rollout={rollout} />
          </div>
        </div>
      </div>
    </>
  );
}

/** What a person must know first, in a sentence. */
function Said({ rollout: { state, group, order, fallback } }: { rollout: RolloutFull }) {
  if (!("reason" in state)) return null;
  const words = {
    paused: "Paused. Nobody more is told until it is resumed or promoted.",
    aborting: `Going back: r${fallback?.order} carries what ${group.name} had before.`,
    aborted: fallback
      ? `Aborted: ${group.name} should have r${fallback.order}, which is what it had before.`
      : "Aborted.",
    superseded: `Superseded: something newer than r${order} is on its way.`,
  }[state.name];
  return (
    <p role="status" className="rounded-[9px] border border-line bg-panel px-4 py-3">
      <b className="font-medium">{words}</b>{" "}
      <span className="[overflow-wrap:anywhere] text-ink-2">
        <Untrusted text={state.reason} />
      </span>
    </p>
  );
}

const GUARD_WORDS = {
  applied: "applied in time",
  failures: "failures",
  refusals: "refusals",
  alerts: "alerts",
  silent: "silent agents",
} as const;

function Guards({ rollout: { guards } }: { rollout: RolloutFull }) {
  return (
    <Card title="Guards" aside="what stops it">
      <ul className="grid gap-2">
        {guards.map(({ guard, outcome, isTripped, words }) => (
          <li key={guard} className="grid grid-cols-[104px_minmax(0,1fr)] items-baseline gap-x-2.5">
            <span className="text-ink-3">{GUARD_WORDS[guard]}</span>
            <span className="[overflow-wrap:anywhere]">
              {isTripped && (
                <>
                  <Mark tone="block">tripped</Mark>{" "}
                </>
              )}
              {words}
              {outcome !== "off" && <span className="text-ink-3"> · else {outcome}</span>}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Members({ rollout: { members, membersAll, towards } }: { rollout: RolloutFull }) {
  const first = members.length < membersAll ? `the first ${members.length} of ${membersAll}` : "as they reported";
  return (
    <Card title={towards === "fallback" ? "Workstations that were told" : "Workstations"} aside={first}>
      {members.length === 0 ? (
        <p className="text-ink-2">None.</p>
      ) : (
        <ul className="grid gap-1.5" aria-label="Workstations">
          {members.map(({ id, name, wave, toldAt, standing }) => (
            <li key={id} className="grid grid-cols-[minmax(0,1fr)_44px_104px_72px] items-baseline gap-x-3">
              <Link href={`/workstations/${id}`} className="mono truncate hover:underline">
                <Untrusted text={name} />
              </Link>
              <span className="mono text-ink-3">w{wave + 1}</span>
              <Dot tone={STANDING_TONES[standing.word]}>{standing.word}</Dot>
              <span className="text-right text-ink-3">{toldAt ? <Ago time={toldAt} /> : "–"}</span>
              <span className="col-span-4 [overflow-wrap:anywhere] text-ink-2">
                <Untrusted text={standing.reason} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const ACT_WORDS: Record<string, string> = {
  start: "began",
  "next-wave": "next wave",
  soak: "soaking",
  pause: "paused",
  "fall-back": "aborting",
  finish: "done",
  end: "aborted",
};

function Events({ rollout: { id: rollout, events: newest, eventsAll } }: { rollout: RolloutFull }) {
  const api = useApi();
  const pages = useInfiniteQuery({
    ...api.rollout.events.infiniteQueryOptions({ id: rollout }, { getNextPageParam: (page) => page.next }),
    enabled: eventsAll > newest.length,
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const events = pages.data ? rowsOf(pages.data.pages, ({ id }) => id) : newest;
  return (
    <Card title="What happened" aside="also on the console’s trail">
      <ol className="grid gap-2" aria-label="Events">
        {events.map(({ id, at, act, by, text }) => (
          <li key={id} className="grid grid-cols-[minmax(92px,auto)_minmax(0,1fr)] gap-x-2.5">
            <span className="mono text-ink-3">
              <Clock time={at} />
            </span>
            <span className="[overflow-wrap:anywhere]">
              <b className="font-medium">{ACT_WORDS[act] ?? act}</b> <Untrusted text={text} />
              <span className="text-ink-3"> · {by ?? "the console"}</span>
            </span>
          </li>
        ))}
      </ol>
      <More pages={pages}>Show older ones</More>
    </Card>
  );
}
