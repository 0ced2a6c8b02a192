"use client";
/** One thing that waits for signatures: what it does, loosenings first; who signed; how to sign; taking it back. */
import type { Said } from "@sallyport/shared/approval/words/statement.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { Replay } from "../../replay/view/replay.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button, ButtonLink } from "../../ui/button.tsx";
import { Card, Facts } from "../../ui/card.tsx";
import { Copy } from "../../ui/copy.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Why } from "../../ui/field.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Ago, exact } from "../../ui/time.tsx";
import { useTitle } from "../../ui/title.ts";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Row } from "../store.ts";
import { KIND_WORDS, StateMark } from "./words.tsx";

const EVERY_MS = 3_000;
const EXACT_MAX = 12;

export function Approval({ id }: { id: string }) {
  const api = useApi();
  const found = useQuery({ ...api.approval.get.queryOptions({ id }), refetchInterval: EVERY_MS });
  useTitle(found.data && `${found.data.text}, approval`);
  const [withdrawing, setWithdrawing] = useState(false);
  const mayWithdraw = useMay("policy");
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const row = found.data;
  const isWaiting = row.state === "waiting";
  return (
    <>
      <Header
        title={
          <>
            Approval: <Untrusted text={row.text} />
          </>
        }
      >
        <StateMark row={row} />
        <span className="text-ink-2">
          {KIND_WORDS[row.kind]} in <b className="font-medium text-ink">{row.group.name}</b>
        </span>
        <Grow />
        {isWaiting && mayWithdraw && (
          <Button look="danger" onClick={() => setWithdrawing(true)}>
            Withdraw…
          </Button>
        )}
        <ButtonLink href="/approvals">All approvals</ButtonLink>
      </Header>
      <div className="grid items-start gap-3.5 px-5 py-4 xl:grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)]">
        <div className="grid min-w-0 gap-3.5">
          <Card title="What it does" aside="from the text that is signed">
            {isWaiting ? <Waits id={row.id} /> : <Ended row={row} />}
          </Card>
          {isWaiting && isPolicy(row) && <Replayed row={row} />}
        </div>
        <div className="grid gap-3.5">
          <Signatures row={row} />
          {isWaiting && <How row={row} />}
        </div>
      </div>
      {withdrawing && <Withdraw row={row} onClose={() => setWithdrawing(false)} />}
    </>
  );
}

/** Asked for once: its text does not change, and may be one for each workstation of a group. */
function Waits({ id }: { id: string }) {
  const api = useApi();
  const found = useQuery({ ...api.approval.said.queryOptions({ id }), staleTime: Number.POSITIVE_INFINITY });
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  return found.isPending ? <Waiting inside /> : <Words said={found.data} />;
}

const isPolicy = ({ kind }: Row): boolean => kind === "policy" || kind === "rollout";

/** What it would have decided, before anybody signs it. */
function Replayed({ row }: { row: Row }) {
  const api = useApi();
  const found = useQuery({ ...api.approval.policy.queryOptions({ id: row.id }), staleTime: Number.POSITIVE_INFINITY });
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  const candidate = found.data ? { source: found.data } : undefined;
  return <Replay group={row.group} candidate={candidate} named="the policy that waits" />;
}

function Words({ said }: { said: Said | string }) {
  if (typeof said === "string")
    return (
      <p role="alert" className="text-block">
        ■ It cannot be said what this does: {said}. Do not sign it.
      </p>
    );
  const { head, destroys, looser, other, exact: lines } = said;
  const first = [...destroys, ...looser];
  return (
    <div className="grid gap-2.5 [overflow-wrap:anywhere]">
      <p className="font-medium">
        <Untrusted text={head} />
      </p>
      {first.length > 0 && (
        <ul aria-label={destroys.length > 0 ? "Destroys" : "Looser"} className="grid gap-1">
          {first.map((line) => (
            <li key={line} className="text-block">
              ■ <Untrusted text={line} />
            </li>
          ))}
        </ul>
      )}
      {other.length > 0 && (
        <ul aria-label="Otherwise" className="grid list-disc gap-1 pl-4">
          {other.map((line) => (
            <li key={line}>
              <Untrusted text={line} />
            </li>
          ))}
        </ul>
      )}
      <ul aria-label="Exactly" className="mono grid gap-0.5 border-t border-line pt-2 text-xs text-ink-3">
        {lines.slice(0, EXACT_MAX).map((line) => (
          <li key={line}>{line}</li>
        ))}
        {lines.length > EXACT_MAX && <li>and {lines.length - EXACT_MAX} more</li>}
      </ul>
    </div>
  );
}

function Ended({ row }: { row: Row }) {
  return (
    <div className="grid gap-2">
      <p>
        <Untrusted text={row.text} />
      </p>
      <p className="text-ink-2">
        It is {row.state}
        {row.endedAt && (
          <>
            {" "}
            since <Ago time={row.endedAt} />
          </>
        )}
        {row.endedBy && ` by ${row.endedBy}`}. {row.reason && <Untrusted text={row.reason} />}
      </p>
      <p className="text-ink-3">What was signed is not kept here once it is over; what was sent is.</p>
    </div>
  );
}

function Signatures({ row }: { row: Row }) {
  return (
    <Card title="Signatures" aside={`${row.needed} must sign beside the console`}>
      <ul className="mb-3 grid gap-1">
        {row.signed.map(({ publicKey, name, at }) => (
          <li key={publicKey}>
            <span className="text-allow">●</span> {name}, <Ago time={at} />
          </li>
        ))}
        {row.state === "waiting" && <li className="text-ink-2">◐ {row.missing} more must sign</li>}
      </ul>
      <Facts
        rows={[
          ["Asked by", row.by],
          ["Asked", <Ago key="asked" time={row.askedAt} />],
          ["Why", <Untrusted key="why" text={row.message || "no reason given"} />],
          ["Waits until", exact(row.expires)],
          [
            "Group",
            <Link key="group" href={`/policy/${row.group.id}`} className="underline">
              {row.group.name}
            </Link>,
          ],
        ]}
      />
    </Card>
  );
}

function How({ row }: { row: Row }) {
  const command = `sallyport sign ${row.id} --key FILE`;
  const replay = `sallyport approval show ${row.id} --policy | sallyport policy replay - --group ${row.group.id}`;
  return (
    <Card title="How to sign">
      <p className="text-ink-2">
        With a key that no console holds, on a machine of your own. The command works out for itself what this does;
        where it says something else than this page, do not sign.
      </p>
      <p className="mono mt-2 rounded-[6px] border border-line bg-sunk px-2 py-1.5 [overflow-wrap:anywhere]">
        {command} <Copy text={command} />
      </p>
      {isPolicy(row) && (
        <>
          <p className="mt-2.5 text-ink-2">
            What it would have decided, over what is recorded: here beside, or from where you sign.
          </p>
          <p className="mono mt-1 rounded-[6px] border border-line bg-sunk px-2 py-1.5 [overflow-wrap:anywhere]">
            {replay} <Copy text={replay} />
          </p>
        </>
      )}
    </Card>
  );
}

function Withdraw({ row, onClose }: { row: Row; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const queries = useQueryClient();
  const withdraw = useMutation(api.approval.withdraw.mutationOptions());
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason"));
    const done = await withdraw.mutateAsync({ id: row.id, reason }).then(
      () => true,
      () => false, // shown under the field
    );
    if (!done) return;
    tell.done("Withdrawn. The signatures that were given are forgotten.");
    await queries.invalidateQueries();
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Withdraw what waits"
      description="Nobody can sign it any more, and the signatures that were given are forgotten. It can be asked for again."
    >
      <form onSubmit={submit} className="grid gap-3">
        <Why maxLength={500} autoFocus fault={withdraw.error?.message} />
        <Ends onCancel={onClose}>
          <Button look="danger" type="submit" disabled={withdraw.isPending}>
            Withdraw
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
