"use client";
import { count } from "@sallyport/shared/base/count.ts";
import { useMutation } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { severityTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Facts } from "../../ui/card.tsx";
import { Drawer } from "../../ui/drawer.tsx";
import { TextArea } from "../../ui/field.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Ago, exact } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { AlertRow, AlertState } from "../store.ts";

const MOVES: Record<AlertState, { to: AlertState; word: string }[]> = {
  open: [
    { to: "acknowledged", word: "Acknowledge" },
    { to: "closed", word: "Close" },
  ],
  acknowledged: [
    { to: "closed", word: "Close" },
    { to: "open", word: "Reopen" },
  ],
  closed: [{ to: "open", word: "Reopen" }],
};

type Props = {
  alert: AlertRow;
  onClose: () => void;
  /** Where one that was triaged leaves the list: the one that comes next. */
  onNext: (() => void) | undefined;
};

export function AlertDrawer({ alert, onClose, onNext }: Props) {
  const [tab, setTab] = useState("Story");
  return (
    <Drawer
      tab={tab}
      onTab={setTab}
      onClose={onClose}
      mark={<Mark tone={severityTone(alert.severity)}>{alert.severity}</Mark>}
      title={<Untrusted text={alert.title} />}
      tabs={[{ name: "Story", content: <Story alert={alert} onNext={onNext} /> }]}
    />
  );
}

function Story({ alert, onNext }: Omit<Props, "onClose">) {
  const mayTriage = useMay("triage");
  return (
    <div className="grid gap-4">
      <p className="[overflow-wrap:anywhere]">
        <Untrusted text={alert.reason} />
      </p>
      <Facts
        names={92}
        rows={[
          ["kind", alert.kind],
          ["workstation", alert.workstation ? <Where key="w" {...alert.workstation} /> : "the console itself"],
          ["raised", exact(alert.raisedAt)],
          ["count", alert.count > 1 ? `${count(alert.count)}, last ${exact(alert.lastAt)}` : "once"],
          ["state", alert.state],
        ]}
      />
      {alert.record && (
        <Link
          href={`/explore?open=${alert.record.trail}.${alert.record.index}`}
          className="justify-self-start underline"
        >
          The record it came from, with its proof
        </Link>
      )}
      {alert.about && (
        <Link href={alert.about.href} className="justify-self-start underline">
          {alert.about.words}
        </Link>
      )}
      {alert.by && alert.at && (
        <div className="rounded-[8px] border border-line bg-sunk px-3 py-2.5">
          <p className="text-ink-2">
            {alert.state} by <b className="text-ink">{alert.by}</b>, <Ago time={alert.at} />
          </p>
          {alert.note && (
            <p className="mt-1 whitespace-pre-wrap [overflow-wrap:anywhere]">
              <Untrusted text={alert.note} />
            </p>
          )}
        </div>
      )}
      {mayTriage && <Triage alert={alert} onNext={onNext} />}
    </div>
  );
}

const Where = ({ id, name }: { id: string; name: string }) => (
  <>
    <Link href={`/workstations/${id}`} className="underline">
      <Untrusted text={name} />
    </Link>
    {" · "}
    <Link href={`/alerts?state=all&workstation=${id}`} className="underline">
      all its alerts
    </Link>
  </>
);

function Triage({ alert, onNext }: Omit<Props, "onClose">) {
  const api = useApi();
  const tell = useTell();
  const triage = useMutation(api.alert.triage.mutationOptions());
  const [fault, setFault] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const button = (event.nativeEvent as SubmitEvent).submitter;
    const state = button instanceof HTMLButtonElement ? (button.value as AlertState) : "acknowledged";
    setFault(undefined);
    try {
      const note = String(new FormData(event.currentTarget).get("note"));
      await triage.mutateAsync({ id: alert.id, state, note });
      onNext?.();
      tell.done(`Alert ${state === "open" ? "reopened" : state}. It is on the console’s trail under your name.`);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form onSubmit={submit} className="grid gap-2.5">
      <TextArea
        label="Note"
        name="note"
        required
        minLength={3}
        maxLength={2000}
        fault={fault}
        hint="What you saw and what you did about it."
      />
      <div className="flex gap-2">
        {MOVES[alert.state].map(({ to, word }, at) => (
          <Button key={to} type="submit" value={to} look={at === 0 ? "main" : "plain"} disabled={triage.isPending}>
            {word}
          </Button>
        ))}
      </div>
    </form>
  );
}
