"use client";
/** What was in force on one workstation at a moment, who approved it and when it was applied; and what followed what. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import type { FormEvent } from "react";
import { useApi } from "../../trpc/client.tsx";
import { setAddress } from "../../ui/address.ts";
import { Button, ButtonLink } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { More } from "../../ui/more.tsx";
import { PartTable } from "../../ui/part-table.tsx";
import { useTitle } from "../../ui/title.ts";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Applied } from "../store.ts";
import { minute, readMoment } from "../words.ts";
import { Answer } from "./answer.tsx";

export function InForceHistory({ id }: { id: string }) {
  const api = useApi();
  const asked = useSearchParams().get("at") ?? "";
  const at = readMoment(asked);
  const workstation = useQuery(api.workstation.get.queryOptions({ id }));
  useTitle(workstation.data && `${workstation.data.row.name}, policy in force`);
  const answer = useQuery({
    ...api.inForce.at.queryOptions({ workstation: id, at: at ?? "" }),
    enabled: at !== undefined,
  });
  const pages = useInfiniteQuery(
    api.inForce.list.infiniteQueryOptions({ workstation: id }, { getNextPageParam: (page) => page.next }),
  );
  if (workstation.isError)
    return <Fault message={workstation.error.message} again={() => void workstation.refetch()} />;
  if (pages.isError) return <Fault message={pages.error.message} again={() => void pages.refetch()} />;
  if (workstation.isPending || pages.isPending) return <Waiting />;
  const rows = pages.data.pages.flatMap((page) => page.rows);
  const { name } = workstation.data.row;
  return (
    <>
      <Header title={<Untrusted text={name} />} about="What was in force, by its own word">
        <ButtonLink href={`/workstations/${id}`}>The workstation</ButtonLink>
      </Header>
      <div className="grid gap-3.5 px-5 py-4">
        <Card title="At a moment">
          <Moment key={asked} asked={asked} />
          {asked !== "" && at === undefined && (
            <p role="alert" className="mt-2 text-block">
              ■ This is no moment. Write it as 2026-11-24 08:00, in UTC.
            </p>
          )}
          {answer.isError && <Fault message={answer.error.message} again={() => void answer.refetch()} />}
          {answer.data && (
            <div className="mt-3 border-t border-line pt-3">
              {answer.data.found ? (
                <Answer applied={answer.data.found} />
              ) : (
                <p className="text-ink-2">
                  By then it had said nothing of a policy: it had the strict defaults of an agent that was given none.
                </p>
              )}
            </div>
          )}
        </Card>
        {rows.length === 0 ? (
          <Empty title="It has not said that a policy is in force yet">
            <p>An agent says so once for each policy and each outcome of it, after it has looked.</p>
          </Empty>
        ) : (
          <Card title="One after the other" aside="each is a record on its own trail">
            <History rows={rows} />
            <More pages={pages}>Earlier ones</More>
          </Card>
        )}
      </div>
    </>
  );
}

function Moment({ asked }: { asked: string }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = String(new FormData(event.currentTarget).get("at")).trim();
    setAddress(typed ? new URLSearchParams({ at: typed }).toString() : "", "push");
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2">
      <label htmlFor="moment" className="text-ink-2">
        In force at
      </label>
      <input
        id="moment"
        name="at"
        defaultValue={asked}
        placeholder="2026-11-24 08:00"
        spellCheck={false}
        className="mono w-[190px] rounded-[6px] border border-line-strong bg-panel px-2 py-1 text-ink"
      />
      <span className="text-ink-3">UTC</span>
      <Button type="submit">Say</Button>
    </form>
  );
}

function History({ rows }: { rows: Applied[] }) {
  return (
    <PartTable heads={["From", "Until", "Revision", "What changed", "Published by", "Not applied", ""]}>
      {rows.map((row) => {
        const not = Object.entries(row.outcomes).filter(([, { outcome }]) => outcome !== "applied");
        return (
          <tr
            key={`${row.trail}.${row.index}`}
            className="border-b border-line align-baseline last:border-b-0 [&>td]:py-1 [&>td]:pr-4"
          >
            <td className="mono whitespace-nowrap">
              <time dateTime={row.time}>{minute(row.time)}</time>
            </td>
            <td className="mono whitespace-nowrap text-ink-2">
              {row.until ? <time dateTime={row.until}>{minute(row.until)}</time> : "now"}
            </td>
            <td className="mono">
              r{row.order} <span className="text-ink-3">{row.digest.slice(0, 12)}</span>
            </td>
            <td>
              {row.approval ? (
                <Untrusted text={row.approval.message} />
              ) : (
                <span className="text-block">■ published by nobody that this console knows of</span>
              )}
            </td>
            <td className="[overflow-wrap:anywhere]">{row.approval?.by}</td>
            <td className="text-ink-2 [overflow-wrap:anywhere]">
              <Untrusted text={not.map(([section]) => section).join(" ") || "–"} />
            </td>
            <td className="whitespace-nowrap">
              <Link className="underline" href={`/explore?open=${row.trail}.${row.index}`}>
                Record
              </Link>
            </td>
          </tr>
        );
      })}
    </PartTable>
  );
}
