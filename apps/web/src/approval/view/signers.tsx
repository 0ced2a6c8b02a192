"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** Who signs for a group, on its page; an owner names them. */
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useActor } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Hash } from "../../ui/copy.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Input, Why } from "../../ui/field.tsx";
import { More } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { SignersRow } from "../store.ts";
import { StateMark, waitsWords } from "./words.tsx";

const EVERY_MS = 5_000;

export function Signers({ group }: { group: string }) {
  const api = useApi();
  const isOwner = useActor().role === "owner";
  const [open, setOpen] = useState(false);
  const found = useQuery({
    ...api.approval.signers.queryOptions({ group: group as never }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Card title="Who signs" aside={isOwner && <Button onClick={() => setOpen(true)}>Approvers…</Button>}>
      {found.isError ? (
        <Fault message={found.error.message} again={() => void found.refetch()} />
      ) : found.isPending ? (
        <Waiting inside />
      ) : (
        <>
          <Who row={found.data} />
          {found.data.needed > 0 && <StillWaiting group={group} />}
          {open && <Choose row={found.data} onClose={() => setOpen(false)} />}
        </>
      )}
    </Card>
  );
}

function Who({ row }: { row: SignersRow }) {
  const { needed, approvers, told, workstations } = row;
  return (
    <div className="grid gap-2">
      {needed === 0 ? (
        <p className="text-ink-2">
          The console’s key alone. Whoever takes it over can loosen this group’s policy; give the group approvers whose
          keys are elsewhere (docs/approvers.md).
        </p>
      ) : (
        <>
          <p>
            The console and <b>{needed}</b> of {plural(approvers.length, "approver")}.
          </p>
          <ul className="grid gap-1">
            {approvers.map(({ name, keyId, publicKey }) => (
              <li key={publicKey} className="flex flex-wrap items-baseline gap-2">
                <span>{name}</span> <span className="mono text-ink-3">{keyId}</span> <Hash text={publicKey} />
              </li>
            ))}
          </ul>
          <p className={told < workstations ? "text-hold" : "text-ink-2"}>
            {told < workstations ? "◐ " : ""}
            {told} of {plural(workstations, "workstation")} say that they believe these.
          </p>
        </>
      )}
    </div>
  );
}

/** What was asked for in this group and is not done yet. */
function StillWaiting({ group }: { group: string }) {
  const api = useApi();
  const pages = useInfiniteQuery({
    ...api.approval.waiting.infiniteQueryOptions({ group: group as GroupId }, { getNextPageParam: ({ next }) => next }),
    refetchInterval: pace(EVERY_MS),
  });
  const rows = rowsOf(pages.data?.pages, ({ id }) => id);
  if (rows.length === 0) return null;
  return (
    <>
      <ul aria-label="Waiting for signatures" className="mt-2 grid gap-1 border-t border-line pt-2">
        {rows.map((row) => (
          <li key={row.id} className="flex flex-wrap items-baseline gap-2">
            <StateMark row={row} />
            <Link className="underline" href={`/approvals/${row.id}`}>
              <Untrusted text={row.text} />
            </Link>
          </li>
        ))}
      </ul>
      <More pages={pages}>Show later ones</More>
    </>
  );
}

type Draft = { key: number; name: string; publicKey: string };

function Choose({ row, onClose }: { row: SignersRow; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const queries = useQueryClient();
  const set = useMutation(api.approval.setSigners.mutationOptions());
  const [drafts, setDrafts] = useState<Draft[]>(() =>
    row.approvers.map(({ name, publicKey }, key) => ({ key, name, publicKey })),
  );
  const [next, setNext] = useState(row.approvers.length);
  const [needed, setNeeded] = useState(String(row.needed || 1));
  const change = (key: number, more: Partial<Draft>) =>
    setDrafts((all) => all.map((each) => (each.key === key ? { ...each, ...more } : each)));
  const add = () => {
    setDrafts((all) => [...all, { key: next, name: "", publicKey: "" }]);
    setNext(next + 1);
  };
  const isNobody = drafts.length === 0;
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason"));
    const approvers = drafts.map(({ name, publicKey }) => ({ name: name.trim(), publicKey: publicKey.trim() }));
    const choice = { approvers, needed: isNobody ? 0 : Number(needed) };
    const done = await set.mutateAsync({ group: row.group as never, choice, reason }).catch(() => undefined); // shown below
    if (!done) return;
    tell.done(
      done.waiting ? waitsWords("The change", done.waiting) : "Signed and on its way to each workstation of the group.",
    );
    await queries.invalidateQueries();
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      width={640}
      title={`Who signs for ${row.name}`}
      description={
        row.needed > 0
          ? `Told anew: ${plural(row.workstations, "workstation")}. ${row.needed} of the present approvers must sign that.`
          : `Told at once: ${plural(row.workstations, "workstation")}. From then on only the approvers themselves can change it.`
      }
    >
      <form onSubmit={submit} className="grid gap-3">
        {drafts.map(({ key, name, publicKey }, at) => (
          <div key={key} className="grid grid-cols-[minmax(90px,0.5fr)_minmax(0,1.4fr)_auto] items-end gap-2">
            <Input
              label={`Name of approver ${at + 1}`}
              value={name}
              onChange={(event) => change(key, { name: event.target.value })}
              required
              maxLength={128}
            />
            <Input
              label="Public key"
              className="mono"
              value={publicKey}
              onChange={(event) => change(key, { publicKey: event.target.value })}
              required
              spellCheck={false}
              autoComplete="off"
            />
            <Button onClick={() => setDrafts((all) => all.filter((each) => each.key !== key))}>Remove</Button>
          </div>
        ))}
        <div>
          <Button onClick={add}>Add an approver</Button>
        </div>
        {isNobody ? (
          <p className={row.needed > 0 ? "text-block" : "text-ink-2"}>
            {row.needed > 0 ? "■ " : ""}Nobody beside the console: its key alone signs for the group.
          </p>
        ) : (
          <Input
            label="How many of them must sign"
            type="number"
            min={1}
            max={Math.min(15, drafts.length)}
            value={needed}
            onChange={(event) => setNeeded(event.target.value)}
            required
            hint="Beside the console’s own signature. Leave room for a key that is lost: two of three rather than two of two."
          />
        )}
        <Why maxLength={500} fault={set.error?.message} />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={set.isPending}>
            {row.needed > 0 ? "Ask for signatures" : "Sign and tell them"}
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
