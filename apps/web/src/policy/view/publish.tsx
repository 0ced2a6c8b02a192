"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import type { Change } from "@sallyport/shared/policy/diff/change.ts";
import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import type { GroupRow } from "../store.ts";
import { Changes } from "./changes.tsx";

type Props = {
  group: GroupRow;
  source: string;
  basedOn: number;
  changes: Change[];
  cutOff: readonly string[];
  against: string;
  /** The order of the rollout that it puts an end to. */
  ends: number | undefined;
  onClose: () => void;
  onDone: (order: number) => void;
};

/** Says what it will do to how many before it does it. */
export function Publish({ group, source, basedOn, changes, cutOff, against, ends, onClose, onDone }: Props) {
  const api = useApi();
  const tell = useTell();
  const publish = useMutation(api.policy.publish.mutationOptions());
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const message = String(new FormData(event.currentTarget).get("message"));
    const done = await publish.mutateAsync({ group: group.id, source, message, basedOn }).catch(() => undefined); // shown under the field
    if (!done) return;
    tell.done(
      done.waiting
        ? waitsWords(`r${done.order}`, done.waiting)
        : `r${done.order} is signed and on its way. It is in force where “Desired against reported” says so, not before.`,
    );
    onDone(done.order);
  };
  return (
    <Dialog
      open
      onClose={onClose}
      width={560}
      title={`Publish to all of ${group.name}`}
      description={`It goes to ${plural(group.workstations, "workstation")} at once, with no guard${ends === undefined ? "" : `, and ends the rollout of r${ends}`}. Roll it out instead to watch it on a few first. To undo it, publish an earlier revision’s text again.`}
    >
      <form onSubmit={submit} className="grid gap-3.5">
        <div className="max-h-[240px] overflow-auto rounded-[8px] border border-line bg-sunk px-3 py-2.5">
          <Changes changes={changes} against={against} cutOff={cutOff} />
        </div>
        <Input
          label="What changes, and why"
          name="message"
          required
          minLength={3}
          maxLength={500}
          autoFocus
          fault={publish.error?.message}
        />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={publish.isPending}>
            Sign and publish
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
