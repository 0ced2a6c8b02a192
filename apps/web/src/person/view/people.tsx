"use client";
import { keepPreviousData, useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { type FormEvent, useState } from "react";
import { useActor } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { Grow, Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { More } from "../../ui/more.tsx";
import { rowsOf } from "../../ui/pages.ts";
import { PartTable } from "../../ui/part-table.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { mayManage, ROLE_WORDS, ROLES, type Role } from "../role.ts";
import { SORTS } from "../sort.ts";
import { LinkOnce } from "./link-once.tsx";
import { ResetSignIn } from "./reset.tsx";

const HEADS = [
  { head: "Name", sort: { word: "name" } },
  { head: "E-mail", sort: { word: "email" } },
  { head: "Role", sort: { word: "role" } },
  "Second factor",
  { head: "Seen", sort: { word: "seen", down: true } },
  "",
];

export function People() {
  const api = useApi();
  const actor = useActor();
  const params = useSearchParams();
  const sort = SORTS.find((each) => each === params.get("sort"));
  const found = useInfiniteQuery({
    ...api.person.list.infiniteQueryOptions({ sort }, { getNextPageParam: (page) => page.next }),
    placeholderData: keepPreviousData,
  });
  const [adding, setAdding] = useState(false);
  const [resetting, setResetting] = useState<{ id: string; name: string; email: string }>();
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  if (found.isPending) return <Waiting />;
  const people = rowsOf(found.data.pages, ({ id }) => id);
  const sorted = { by: sort ?? "", onSort: (by: string) => setAddress(searchOf({ sort: by }), "push") };
  return (
    <>
      <Header title="People">
        <Grow />
        <Button look="main" onClick={() => setAdding(true)}>
          Add a person…
        </Button>
      </Header>
      <div className="grid max-w-[1080px] gap-3.5 px-5 py-4">
        <Card>
          <PartTable heads={HEADS} sorted={sorted}>
            {people.map((person) => (
              <tr
                key={person.id}
                className="border-b border-line last:border-b-0 [&>td]:py-1.5 [&>td]:pr-4 [&>td:last-child]:pr-0"
              >
                <td>
                  <Untrusted text={person.name} />
                  {person.id === actor.id && <span className="text-ink-3"> · you</span>}
                </td>
                <td className="mono">
                  <Untrusted text={person.email} />
                </td>
                <td>
                  <RoleOf person={person} actor={actor.role} />
                </td>
                <td>
                  <SignInOf person={person} />
                </td>
                <td className="whitespace-nowrap">
                  <Ago time={person.seenAt} />
                </td>
                <td className="text-right whitespace-nowrap">
                  {mayManage(actor.role, person.role) && person.id !== actor.id && (
                    <Button className="mr-1.5" onClick={() => setResetting(person)}>
                      Reset sign-in…
                    </Button>
                  )}
                  <Switch person={person} may={mayManage(actor.role, person.role) && person.id !== actor.id} />
                </td>
              </tr>
            ))}
          </PartTable>
          <More pages={found}>Show more</More>
        </Card>
        <Invited />
        <Card title="Roles">
          <dl className="grid grid-cols-[104px_1fr] gap-y-0.5">
            {ROLES.map((role) => (
              <div key={role} className="contents">
                <dt>{role}</dt>
                <dd className="text-ink-2">{ROLE_WORDS[role]}</dd>
              </div>
            ))}
          </dl>
        </Card>
      </div>
      {resetting && <ResetSignIn person={resetting} onClose={() => setResetting(undefined)} />}
      {adding && <Add actor={actor.role} onClose={() => setAdding(false)} />}
    </>
  );
}

function Invited() {
  const api = useApi();
  const tell = useTell();
  const actor = useActor();
  const uninvite = useMutation({ ...api.person.uninvite.mutationOptions(), onError: tell.failed });
  const found = useInfiniteQuery(
    api.person.invites.infiniteQueryOptions({}, { getNextPageParam: (page) => page.next }),
  );
  if (found.isError) return <Fault message={found.error.message} again={() => void found.refetch()} />;
  const invites = rowsOf(found.data?.pages, ({ id }) => id);
  if (invites.length === 0) return null;
  return (
    <Card title="Invited">
      <ul className="grid gap-1.5">
        {invites.map((invite) => (
          <li key={invite.id} className="flex items-baseline gap-3">
            <span className="min-w-0 flex-1">
              <Untrusted text={invite.name} />{" "}
              <span className="mono text-ink-2">
                <Untrusted text={invite.email} />
              </span>{" "}
              as {invite.role}
              <span className="text-ink-3">
                {" "}
                · runs out <Ago time={invite.expiresAt} />
              </span>
            </span>
            {mayManage(actor.role, invite.role) && (
              <Button onClick={() => uninvite.mutate({ id: invite.id })}>Withdraw</Button>
            )}
          </li>
        ))}
      </ul>
      <More pages={found}>Show more</More>
    </Card>
  );
}

type Person = { id: string; name: string; role: Role; disabledAt: string | null };

function RoleOf({ person, actor }: { person: Person; actor: Role }) {
  const api = useApi();
  const tell = useTell();
  const set = useMutation({ ...api.person.setRole.mutationOptions(), onError: tell.failed });
  if (!mayManage(actor, person.role)) return person.role;
  return (
    <select
      aria-label={`Role of ${person.name}`}
      value={person.role}
      disabled={set.isPending}
      onChange={(event) => set.mutate({ id: person.id, role: event.target.value as Role })}
      className="rounded-[5px] border border-line bg-panel px-1 py-px"
    >
      {ROLES.filter((role) => mayManage(actor, role)).map((role) => (
        <option key={role}>{role}</option>
      ))}
    </select>
  );
}

function SignInOf({ person }: { person: { twoFactorEnabled: boolean; resetUntil: string | null } }) {
  if (person.twoFactorEnabled) return <Mark tone="allow">on</Mark>;
  if (person.resetUntil === null) return <Mark tone="hold">password alone</Mark>;
  return (
    <Mark tone="info">
      {Date.parse(person.resetUntil) > Date.now() ? "reset, waits for a new password" : "reset, link ran out"}
    </Mark>
  );
}

function Switch({ person, may }: { person: Person; may: boolean }) {
  const api = useApi();
  const tell = useTell();
  const set = useMutation({ ...api.person.setDisabled.mutationOptions(), onError: tell.failed });
  const off = person.disabledAt !== null;
  if (!may) return off ? <Mark tone="info">off</Mark> : null;
  return (
    <Button onClick={() => set.mutate({ id: person.id, disabled: !off })}>{off ? "Switch on" : "Switch off"}</Button>
  );
}

function Add({ actor, onClose }: { actor: Role; onClose: () => void }) {
  const api = useApi();
  const add = useMutation(api.person.add.mutationOptions());
  const [code, setCode] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const asked = { name: String(form.get("name")), email: String(form.get("email")), role: form.get("role") as Role };
    const made = await add.mutateAsync(asked).catch(() => undefined); // shown under the fields
    if (made) setCode(made.code);
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={code ? "Give them this link" : "Add a person"}
      description={code ? undefined : "They get a link by which they set a password of their own."}
    >
      {code ? (
        <LinkOnce code={code} life="for a week" onDone={onClose} />
      ) : (
        <form onSubmit={submit} className="grid gap-3">
          <Input label="Name" name="name" required maxLength={128} autoFocus />
          <Input label="E-mail" name="email" type="email" required maxLength={254} />
          <Select label="Role" name="role" defaultValue="viewer" fault={add.error?.message}>
            {ROLES.filter((role) => mayManage(actor, role)).map((role) => (
              <option key={role} value={role}>
                {role}: {ROLE_WORDS[role]}
              </option>
            ))}
          </Select>
          <Ends onCancel={onClose}>
            <Button look="main" type="submit" disabled={add.isPending}>
              Make the link
            </Button>
          </Ends>
        </form>
      )}
    </Dialog>
  );
}
