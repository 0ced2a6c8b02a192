"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** What an admin does to one workstation: describe, move, revoke. Each says first what it will do. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Select, Why } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import { readLabels } from "../label.ts";
import type { WorkstationRow } from "../store.ts";

type Doing = "describe" | "move" | "revoke";
type Props = { row: WorkstationRow; onClose: () => void };

export function Changes({ row }: { row: WorkstationRow }) {
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  return (
    <>
      <Button onClick={() => setDoing("describe")}>Name and labels…</Button>
      {row.state === "enrolled" && <Button onClick={() => setDoing("move")}>Move…</Button>}
      {row.state !== "revoked" && (
        <Button look="danger" onClick={() => setDoing("revoke")}>
          Revoke…
        </Button>
      )}
      {doing === "describe" && <Describe row={row} onClose={close} />}
      {doing === "move" && <Move row={row} onClose={close} />}
      {doing === "revoke" && <Revoke row={row} onClose={close} />}
    </>
  );
}

function Describe({ row, onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const describe = useMutation({
    ...api.workstation.describe.mutationOptions(),
    onSuccess: () => {
      tell.done("Kept.");
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const to = { name: String(form.get("name")), labels: readLabels(String(form.get("labels"))) };
    describe.mutate({ id: row.id, name: row.name, to });
  };
  return (
    <Dialog open onClose={onClose} title={`What ${row.name} is called`}>
      <form onSubmit={submit} className="grid gap-3">
        <Input label="Name" name="name" defaultValue={row.name} required maxLength={64} autoFocus />
        <Input
          label="Labels"
          name="labels"
          defaultValue={row.labels.join(" ")}
          placeholder="canary floor:3"
          hint="Free marks to pick waves and filter by. They never change policy."
          fault={describe.error?.message}
        />
        <Buttons onClose={onClose} pending={describe.isPending} word="Keep" />
      </form>
    </Dialog>
  );
}

function Move({ row, onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const groups = useQuery(api.policy.groups.queryOptions());
  const others = (groups.data ?? []).filter(({ id }) => id !== row.group.id);
  const [chosen, setChosen] = useState("");
  const to = others.find(({ id }) => id === chosen) ?? others[0];
  const move = useMutation({
    ...api.workstation.move.mutationOptions(),
    onSuccess: ({ waiting }) => {
      tell.done(
        waiting
          ? waitsWords("The move", waiting)
          : `Moved to ${to?.name}. Its policy follows as soon as the agent has taken the signed membership.`,
      );
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={`Move ${row.name} to another group`}>
      {groups.isSuccess && !to ? (
        <p className="text-ink-2">There is no other group. Make one under Policy first.</p>
      ) : (
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (to) move.mutate({ id: row.id, name: row.name, group: to.id });
          }}
        >
          <Select
            label={`From ${row.group.name} to`}
            value={to?.id ?? ""}
            onChange={(event) => setChosen(event.target.value)}
            fault={move.error?.message}
          >
            {others.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
          {to && (
            <ul className="grid list-disc gap-1 pl-4 text-ink-2">
              <li>
                {to.inForce ? (
                  <>
                    It will be wanted to have <b className="mono text-ink">r{to.inForce.order}</b> of {to.name}:{" "}
                    {to.inForce.message}
                  </>
                ) : (
                  `${to.name} has no policy published: it keeps the one it has until there is one.`
                )}
              </li>
              <li>Until the new group’s policy has arrived, the present one stays in force.</li>
              <li>The console signs the membership, and the move stands on the console’s own trail.</li>
            </ul>
          )}
          <Buttons onClose={onClose} pending={move.isPending || !to} word="Sign and move" />
        </form>
      )}
    </Dialog>
  );
}

/** Two steps: why, with what it will do; then its name, typed. */
function Revoke({ row, onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const [reason, setReason] = useState("");
  const [sure, setSure] = useState(false);
  const [typed, setTyped] = useState("");
  const revoke = useMutation({
    ...api.workstation.revoke.mutationOptions(),
    onSuccess: ({ certificates }) => {
      tell.done(`${row.name} is revoked, with ${plural(certificates, "certificate")}.`);
      onClose();
    },
  });
  if (!sure)
    return (
      <Dialog open onClose={onClose} title={`Revoke ${row.name}?`}>
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            setSure(true);
          }}
        >
          <ul className="grid list-disc gap-1 pl-4 text-ink-2">
            <li>One workstation: its certificates are refused by broker and listener within seconds.</li>
            <li>
              Nothing more of it is taken. Its {plural(row.records, "record")} and proofs stay
              {row.reported && row.reported.spool.records > 0 && (
                <>
                  ; <b className="font-medium text-ink">{count(row.reported.spool.records)}</b> that wait in its spool
                  will not arrive
                </>
              )}
              .
            </li>
            <li>It keeps the last good policy in force. There is no undo: it comes back by enrolling anew.</li>
          </ul>
          <Why
            value={reason}
            onChange={(event) => setReason(event.target.value)}
            maxLength={300}
            autoFocus
            placeholder="stolen from the front desk"
            hint="Stands on the console’s own trail and on the machine’s page."
          />
          <Ends onCancel={onClose}>
            <Button look="danger" type="submit" disabled={reason.trim().length < 3}>
              Go on…
            </Button>
          </Ends>
        </form>
      </Dialog>
    );
  return (
    <Dialog open onClose={onClose} title={`Revoke ${row.name}: ${reason.trim()}`}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          revoke.mutate({ id: row.id, name: row.name, reason });
        }}
      >
        <Input
          key="typed"
          label={`Type ${row.name} to revoke it`}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          autoFocus
          autoComplete="off"
          spellCheck={false}
          fault={revoke.error?.message}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={() => setSure(false)}>Back</Button>
          <Button look="danger" type="submit" disabled={typed !== row.name || revoke.isPending}>
            Revoke it now
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Buttons({ onClose, pending, word }: { onClose: () => void; pending: boolean; word: string }) {
  return (
    <Ends onCancel={onClose}>
      <Button look="main" type="submit" disabled={pending}>
        {word}
      </Button>
    </Ends>
  );
}
