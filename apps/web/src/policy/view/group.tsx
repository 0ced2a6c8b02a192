"use client";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { ENDED } from "@sallyport/shared/rollout/state.ts";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { Signers } from "../../approval/view/signers.tsx";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Hash } from "../../ui/copy.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { More } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Ago } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { PublicationRow } from "../store.ts";
import { Editor } from "./editor.tsx";
import { Reach } from "./reach.tsx";
import { SourceButton } from "./source.tsx";

const EVERY_MS = 3_000;

export function Group({ id }: { id: string }) {
  const api = useApi();
  const mayWrite = useMay("policy");
  const mayReplay = useMay("content");
  const found = useQuery({ ...api.policy.group.queryOptions({ id }), refetchInterval: EVERY_MS });
  useTitle(found.data && `${found.data.group.name}, policy`);
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const { group, publications, isAll } = found.data;
  const wanted = found.data.wanted ?? undefined;
  const latest = publications[0];
  const moving = latest?.rollout && !(ENDED as readonly string[]).includes(latest.rollout.state) ? latest : undefined;
  return (
    <>
      <Header title={group.name}>
        <span className="text-ink-2">
          {wanted ? (
            <>
              wanted <b className="mono text-ink">r{wanted.order}</b>, published <Ago time={wanted.publishedAt} /> by{" "}
              {wanted.by}
            </>
          ) : (
            "none in force yet: its workstations keep the strict defaults"
          )}
        </span>
        {moving?.rollout && (
          <Link href={`/rollouts/${moving.rollout.id}`} className="underline">
            r{moving.order} is being rolled out: {moving.rollout.state}
          </Link>
        )}
        <Grow />
        {mayReplay && <ButtonLink href={`/policy/${group.id}/replay`}>Replay a revision</ButtonLink>}
        <SourceButton group={group} />
        <ButtonLink href="/policy">All groups</ButtonLink>
      </Header>
      <div className="grid gap-3.5 px-5 py-4">
        <Editor
          key={group.id}
          group={group}
          wanted={wanted}
          latest={latest?.order ?? 0}
          moving={moving?.order}
          mayWrite={mayWrite}
        />
        <div className="grid items-start gap-3.5 xl:grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)]">
          <Reach group={group.id} />
          <div className="grid gap-3.5">
            <Signers group={group.id} />
            <Revisions group={group.id} wanted={wanted?.order} newest={publications} isAll={isAll} />
          </div>
        </div>
      </div>
    </>
  );
}

/** The first publication of the same content, where this one is not it. */
function sameAs(publications: PublicationRow[], { digest, order }: PublicationRow): number | undefined {
  return publications.findLast((each) => each.digest === digest && each.order < order)?.order;
}

/** Fetched once it is opened: a text may be long, and the page asks for its rows every few seconds. */
function Text({ group, order }: { group: string; order: number }) {
  const api = useApi();
  const [open, setOpen] = useState(false);
  const found = useQuery({
    ...api.policy.source.queryOptions({ id: group as GroupId, order }),
    enabled: open,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <details className="open:basis-full" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="text-xs hover:text-ink">its text</summary>
      {found.isError && <Fault message={found.error.message} again={() => void found.refetch()} />}
      {open && found.isPending && <Waiting />}
      {found.data !== undefined && (
        <pre className="mono mt-1 max-h-[260px] overflow-auto rounded-[6px] border border-line bg-sunk p-2 whitespace-pre-wrap text-ink">
          {found.data}
        </pre>
      )}
    </details>
  );
}

type Listed = { group: string; wanted: number | undefined; newest: PublicationRow[]; isAll: boolean };

function Revisions({ group, wanted, newest, isAll }: Listed) {
  const api = useApi();
  const pages = useInfiniteQuery({
    ...api.policy.publications.infiniteQueryOptions(
      { id: group as GroupId },
      { getNextPageParam: (page) => page.next },
    ),
    enabled: !isAll,
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const mayReplay = useMay("content");
  const publications = pages.data ? rowsOf(pages.data.pages, ({ order }) => order) : newest;
  return (
    <Card title="Revisions" aside="immutable, named by their content">
      {publications.length === 0 ? (
        <p className="text-ink-2">None yet.</p>
      ) : (
        <ol className="grid gap-2">
          {publications.map((row) => (
            <li key={row.order} className="grid grid-cols-[44px_1fr] gap-x-2">
              <b className="mono">r{row.order}</b>
              <div className="min-w-0 [overflow-wrap:anywhere]">
                <p>
                  <Untrusted text={row.message} />
                  {row.order === wanted && (
                    <>
                      {" "}
                      <Mark tone="info">wanted</Mark>
                    </>
                  )}
                  {row.rollout && (
                    <>
                      {" · "}
                      <Link href={`/rollouts/${row.rollout.id}`} className="underline">
                        rollout {row.rollout.state}
                      </Link>
                    </>
                  )}
                </p>
                <div className="flex flex-wrap items-baseline gap-x-3 text-ink-3">
                  <span>
                    {sameAs(publications, row) !== undefined && <>r{sameAs(publications, row)} again, by </>}
                    {row.by}, <Ago time={row.publishedAt} /> · <Hash text={row.digest} />
                  </span>
                  {mayReplay && (
                    <Link
                      href={`/policy/${group}/replay?order=${row.order}`}
                      className="text-xs hover:text-ink hover:underline"
                    >
                      replay it
                    </Link>
                  )}
                  <Text group={group} order={row.order} />
                </div>
              </div>
            </li>
          ))}
        </ol>
      )}
      <More pages={pages}>Show older ones</More>
    </Card>
  );
}
