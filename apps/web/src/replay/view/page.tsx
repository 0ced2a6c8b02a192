"use client";
/** Any revision of a group, or a text that is brought along, over the group's history. */
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Select, TextArea } from "../../ui/field.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { More } from "../../ui/more.tsx";
import { rowsOf } from "../../ui/pages.ts";
import { Replay } from "./replay.tsx";
import type { Candidate } from "./use-replay.ts";

const TEXT = "text";
const ORDER = /^[1-9]\d{0,9}$/;

export function ReplayPage({ id }: { id: string }) {
  const api = useApi();
  const mayRead = useMay("content");
  const found = useQuery(api.policy.group.queryOptions({ id: id as GroupId }));
  const pages = useInfiniteQuery(
    api.policy.publications.infiniteQueryOptions({ id: id as GroupId }, { getNextPageParam: (page) => page.next }),
  );
  const named = ORDER.exec(useSearchParams().get("order") ?? "")?.[0];
  const [chosen, setChosen] = useState(named);
  const [text, setText] = useState("");
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (pages.isError) return <Fault message={pages.error.message} again={() => void pages.refetch()} />;
  if (found.isPending || pages.isPending) return <Waiting />;
  const { group } = found.data;
  const publications = rowsOf(pages.data.pages, ({ order }) => order);
  const choice = chosen ?? String(publications[0]?.order ?? TEXT);
  const read = choice === TEXT ? readPolicy(text) : undefined;
  const fault = read && !read.ok ? read.faults[0] : undefined;
  const candidate: Candidate | undefined =
    choice !== TEXT ? { order: Number(choice) } : text.trim() !== "" && !fault ? { source: text } : undefined;
  return (
    <>
      <Header title={`Replay on ${group.name}`}>
        <span className="text-ink-2">what a policy would have decided otherwise, before it is signed</span>
        <Grow />
        <ButtonLink href={`/policy/${id}`}>Its policy</ButtonLink>
      </Header>
      {mayRead ? (
        <div className="grid gap-3.5 px-5 py-4">
          <Card title="Candidate">
            <div className="grid gap-3">
              <Select label="Policy" value={choice} onChange={(event) => setChosen(event.target.value)}>
                {publications.map(({ order, message }) => (
                  <option key={order} value={order}>
                    r{order}: {message}
                  </option>
                ))}
                {named !== undefined && !publications.some(({ order }) => String(order) === named) && (
                  <option value={named}>r{named}</option>
                )}
                <option value={TEXT}>a text of mine</option>
              </Select>
              <More pages={pages}>Offer older ones</More>
              {choice === TEXT && (
                <TextArea
                  label="Policy text, YAML or JSON"
                  value={text}
                  onChange={(event) => setText(event.target.value)}
                  spellCheck={false}
                  fault={text.trim() !== "" && fault ? `line ${fault.line}: ${fault.message}` : undefined}
                />
              )}
            </div>
          </Card>
          <Replay group={group} candidate={candidate} named={choice === TEXT ? "this text" : `r${choice}`} />
        </div>
      ) : (
        <Empty title="A replay shows what is in records.">
          Your role verifies them without reading their contents.
        </Empty>
      )}
    </>
  );
}
