"use client";
/** Somebody lost their authenticator or password: says what goes, then shows the link by which they come back. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { LinkOnce } from "./link-once.tsx";

type Props = { person: { id: string; name: string; email: string }; onClose: () => void };

export function ResetSignIn({ person, onClose }: Props) {
  const api = useApi();
  const reset = useMutation(api.person.resetSignIn.mutationOptions());
  const [code, setCode] = useState<string>();
  const go = async () => {
    const done = await reset.mutateAsync({ id: person.id }).catch(() => undefined); // shown in the dialog
    if (done) setCode(done.code);
  };
  if (code !== undefined)
    return (
      <Dialog open onClose={onClose} title={`Give ${person.name} this link`}>
        <LinkOnce code={code} life="for a day" onDone={onClose} />
      </Dialog>
    );
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Reset the sign-in of ${person.name}?`}
      description="For somebody who lost their authenticator, their recovery codes or their password. Be sure that it is they who ask: by voice, or in person."
    >
      <ul className="grid list-disc gap-1 pl-4 text-ink-2">
        <li>Their password and second factor stop working, and every session of theirs ends.</li>
        <li>You get a link by which they set a new password, within a day; then they set up a new second factor.</li>
        <li>Role and API tokens stay as they are. The reset is on the console’s trail, under your name.</li>
      </ul>
      {reset.error && (
        <p role="alert" className="mt-3 text-block">
          {reset.error.message}
        </p>
      )}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" disabled={reset.isPending} onClick={() => void go()}>
          Reset the sign-in
        </Button>
      </div>
    </Dialog>
  );
}
