"use client";
/** Where a group's policy comes from, if that is not this console: the editor then only reads. An owner says so, and takes
 *  it back. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useActor } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Why } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { GroupRow } from "../store.ts";

export function ManagedWords({ group }: { group: GroupRow }) {
  if (group.isRetired)
    return (
      <p role="note" className="mb-2.5 text-hold">
        ◐ {group.name} is retired: nobody can be put into it.
        {group.repository && (
          <>
            {" "}
            Put its file back into <Untrusted text={group.repository} /> to have it again.
          </>
        )}
      </p>
    );
  if (group.repository === null) return null;
  return (
    <p role="note" className="mb-2.5 text-hold">
      ◐ Read only: {group.name} is managed from{" "}
      <b className="mono [overflow-wrap:anywhere]">
        <Untrusted text={group.repository} />
      </b>
      . Change its file there, and its pipeline applies it. An owner can take it back here.
    </p>
  );
}

/** For owners. */
export function SourceButton({ group }: { group: GroupRow }) {
  const [open, setOpen] = useState(false);
  const isOwner = useActor().role === "owner";
  if (!isOwner || group.isRetired) return null;
  return (
    <>
      <Button onClick={() => setOpen(true)}>{group.repository === null ? "Managed from…" : "Take it back…"}</Button>
      {open && <SourceDialog group={group} onClose={() => setOpen(false)} />}
    </>
  );
}

function SourceDialog({ group, onClose }: { group: GroupRow; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const queries = useQueryClient();
  const isBack = group.repository !== null;
  const set = useMutation(api.policy.setRepository.mutationOptions());
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const repository = isBack ? null : String(form.get("repository")).trim();
    const reason = String(form.get("reason"));
    const done = await set.mutateAsync({ group: group.id as never, repository, reason }).catch(() => undefined); // shown under the field
    if (!done) return;
    tell.done(
      isBack ? `${group.name} is edited here again.` : `${group.name} is managed from ${repository} from now on.`,
    );
    await queries.invalidateQueries();
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={isBack ? `Take ${group.name} back` : `Manage ${group.name} from a repository`}
      description={
        isBack
          ? `It is edited on this page again, and ${group.repository} is refused until its pipeline is let manage it anew. Its policy stays what it is.`
          : "This page then only reads. A pipeline that names the same repository publishes (docs/pipelines.md); nobody else does. Its policy stays what it is."
      }
    >
      <form onSubmit={submit} className="grid gap-3">
        {!isBack && (
          <Input
            label="Repository"
            name="repository"
            required
            minLength={3}
            maxLength={256}
            autoFocus
            placeholder="https://git.example.org/fleet/policies"
          />
        )}
        <Why maxLength={500} autoFocus={isBack} fault={set.error?.message} />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={set.isPending}>
            {isBack ? "Take it back" : "Manage it from there"}
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
