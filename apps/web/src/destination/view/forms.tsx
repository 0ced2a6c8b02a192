"use client";
/** What an admin gives a destination. What is secret is typed in and never shown again. */
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Select, TextArea } from "../../ui/field.tsx";
import { ShownOnce } from "../../ui/shown-once.tsx";
import { useTell } from "../../ui/toast.tsx";
import type { DestinationKind, Given } from "../destination.ts";
import type { DestinationRow } from "../store.ts";

const PORT: Record<"tls" | "tcp", number> = { tls: 6514, tcp: 601 };

const given = (form: FormData): Given => {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const ca = text("ca") === "" ? {} : { ca: text("ca") };
  if (text("kind") === "webhook") return { kind: "webhook", url: text("url"), ...ca };
  const transport = text("transport") === "tcp" ? "tcp" : "tls";
  return {
    ...{ kind: "syslog", host: text("host"), port: Number(text("port")), transport },
    ...(transport === "tls" && ca),
  };
};

const wanted = (form: FormData) => ({
  name: String(form.get("name")),
  severity: String(form.get("severity")) as Severity,
  kinds: String(form.get("kinds") ?? "")
    .split(/[\s,]+/)
    .filter(Boolean),
});

function WantedFields({ row }: { row?: DestinationRow }) {
  const api = useApi();
  const kinds = useQuery(api.alert.kinds.queryOptions()).data ?? [];
  return (
    <>
      <Input label="Name" name="name" required maxLength={64} defaultValue={row?.name} autoComplete="off" />
      <Select label="Gets alerts of" name="severity" defaultValue={row?.severity ?? "warning"}>
        {SEVERITIES.filter((severity) => severity !== "debug" && severity !== "info").map((severity) => (
          <option key={severity} value={severity}>
            {severity === "critical" ? severity : `${severity} or worse`}
          </option>
        ))}
      </Select>
      <Input
        label="Of these kinds only"
        name="kinds"
        className="mono"
        defaultValue={row?.kinds.join(", ")}
        placeholder="every kind"
        autoComplete="off"
        spellCheck={false}
        hint={
          kinds.length === 0 ? "Apart by commas, as the Alerts page names them." : `Lately raised: ${kinds.join(", ")}`
        }
      />
    </>
  );
}

function GivenFields({ first = "webhook" }: { first?: DestinationKind }) {
  const [kind, setKind] = useState<DestinationKind>(first);
  const [transport, setTransport] = useState<"tls" | "tcp">("tls");
  return (
    <>
      <Select label="By" name="kind" value={kind} onChange={(event) => setKind(event.target.value as DestinationKind)}>
        <option value="webhook">webhook: HTTPS, JSON, signed; chats, pagers, SIEMs</option>
        <option value="syslog">syslog: RFC 5424; SIEMs</option>
      </Select>
      {kind === "webhook" ? (
        <Input
          label="Address"
          name="url"
          type="url"
          spellCheck={false}
          required
          maxLength={2000}
          className="mono"
          placeholder="https://…"
          autoComplete="off"
          hint="Kept sealed: whoever knows a chat’s address may write there. Only its host is shown from now on."
        />
      ) : (
        <>
          <Select
            label="Over"
            name="transport"
            value={transport}
            onChange={(event) => setTransport(event.target.value as "tls" | "tcp")}
          >
            <option value="tls">TLS (RFC 5425)</option>
            <option value="tcp">TCP, in the clear: for a relay of your own nearby</option>
          </Select>
          <div className="grid grid-cols-[minmax(0,1fr)_96px] gap-2">
            <Input label="Host" name="host" required maxLength={253} className="mono" autoComplete="off" />
            <Input
              key={transport}
              label="Port"
              name="port"
              type="number"
              min={1}
              max={65535}
              required
              defaultValue={PORT[transport]}
              className="mono"
            />
          </div>
        </>
      )}
      {(kind === "webhook" || transport === "tls") && (
        <TextArea
          label="Certificates of its authority (PEM)"
          name="ca"
          spellCheck={false}
          hint="Where that is one of your own. Believed beside the public ones, for this destination alone."
        />
      )}
      <p className="text-xs text-ink-3">
        Addresses that are not public are refused unless SALLYPORT_ALERT_NETWORKS lists them (docs/alert-delivery.md).
      </p>
    </>
  );
}

type FormProps = { title: string; fault: string | undefined; busy: boolean; word: string; onClose: () => void };

function Form(props: FormProps & { onSend: (form: FormData) => void; children: ReactNode }) {
  const { title, fault, busy, word, onClose, onSend, children } = props;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSend(new FormData(event.currentTarget));
  };
  return (
    <Dialog open onClose={onClose} title={title} width={520}>
      <form onSubmit={submit} className="grid gap-3">
        {children}
        {fault && (
          <p role="alert" className="whitespace-pre-line text-block">
            ■ {fault}
          </p>
        )}
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={busy}>
            {word}
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}

/** The one moment in which a webhook's secret is seen. */
function SecretOnce({ secret, onDone }: { secret: string; onDone: () => void }) {
  return (
    <Dialog open onClose={onDone} title="Its signing secret, this once">
      <ShownOnce text={secret} onDone={onDone}>
        With it a receiver checks that a message is this console’s, as Standard Webhooks says. A chat has no use for it.
        It is not shown again; changing where it goes makes a new one.
      </ShownOnce>
    </Dialog>
  );
}

/** Where it goes was given: a webhook's new secret is shown before the form closes, anything else closes it. */
function useGiven(onClose: () => void) {
  const api = useApi();
  const client = useQueryClient();
  const [secret, setSecret] = useState<string>();
  const onSuccess = async ({ secret }: { secret: string | null }) => {
    await client.invalidateQueries({ queryKey: api.destination.list.queryKey() });
    if (secret === null) onClose();
    else setSecret(secret);
  };
  return { secret, onSuccess };
}

type Props = { row: DestinationRow; onClose: () => void };

export function AddDestination({ onClose }: { onClose: () => void }) {
  const api = useApi();
  const { secret, onSuccess } = useGiven(onClose);
  const add = useMutation({ ...api.destination.add.mutationOptions(), onSuccess });
  if (secret !== undefined) return <SecretOnce secret={secret} onDone={onClose} />;
  return (
    <Form
      {...{ title: "Add a destination", fault: add.error?.message, busy: add.isPending, word: "Add it", onClose }}
      onSend={(form) => add.mutate({ ...wanted(form), given: given(form) })}
    >
      <WantedFields />
      <GivenFields />
    </Form>
  );
}

export function MoveDestination({ row, onClose }: Props) {
  const api = useApi();
  const { secret, onSuccess } = useGiven(onClose);
  const move = useMutation({ ...api.destination.retarget.mutationOptions(), onSuccess });
  if (secret !== undefined) return <SecretOnce secret={secret} onDone={onClose} />;
  return (
    <Form
      {...{ title: `Where ${row.name} goes`, fault: move.error?.message, busy: move.isPending, word: "Change it" }}
      onClose={onClose}
      onSend={(form) => move.mutate({ id: row.id, given: given(form) })}
    >
      <p className="text-ink-2">Given anew as a whole; what waits goes there too, at once.</p>
      <GivenFields first={row.kind} />
    </Form>
  );
}

export function ChangeWanted({ row, onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  const change = useMutation({
    ...api.destination.change.mutationOptions(),
    onSuccess: async () => {
      tell.done(`${row.name} was changed.`);
      await client.invalidateQueries({ queryKey: api.destination.list.queryKey() });
      onClose();
    },
  });
  return (
    <Form
      {...{ title: `Change ${row.name}`, fault: change.error?.message, busy: change.isPending, word: "Change it" }}
      onClose={onClose}
      onSend={(form) => change.mutate({ id: row.id, ...wanted(form) })}
    >
      <WantedFields row={row} />
    </Form>
  );
}
