"use client";
/** Where an invited person, or the first owner, sets a password. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Waiting } from "../../ui/empty.tsx";
import { Input } from "../../ui/field.tsx";
import { PASSWORD_CHARS_MIN } from "../password.ts";
import { ROLE_WORDS } from "../role.ts";
import { askAuth } from "./ask.ts";

export function JoinForm({ code }: { code: string }) {
  const api = useApi();
  const router = useRouter();
  const invite = useQuery({ ...api.person.invite.queryOptions({ code }), enabled: code.length >= 10 });
  const join = useMutation(api.person.join.mutationOptions());
  const [fault, setFault] = useState<string>();

  if (code.length >= 10 && invite.isPending) return <Waiting inside />;
  if (!invite.data)
    return (
      <p className="text-ink-2">
        {code === ""
          ? "This console has no owner yet. Open the link that it printed when it was started: “First owner  …/setup?code=…”. Start it again for a new one."
          : "This link does not work (any more): it was used, it ran out, or a newer one was made. Ask for a new one; for the first owner, start the console again."}
      </p>
    );
  const { role, email, name, resets } = invite.data;

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const password = String(form.get("password"));
    setFault(undefined);
    if (password !== form.get("again")) return setFault("The two passwords differ.");
    try {
      const asked = { code, name: String(form.get("name")), email: String(form.get("email")), password };
      const joined = await join.mutateAsync(asked);
      const answer = await askAuth("/sign-in/email", { email: joined.email, password });
      if (!answer.ok) return setFault(answer.message);
      router.replace("/account?welcome=1");
      router.refresh();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  const hint = `At least ${PASSWORD_CHARS_MIN} characters; a sentence is better than a word.`;

  return (
    <form onSubmit={submit} className="grid gap-3.5">
      {resets ? (
        <p className="text-ink-2">
          Your sign-in was reset. Set a new password; then set your second factor up again on the next page.
        </p>
      ) : (
        <p className="text-ink-2">
          You will be <b className="text-ink">{role}</b>: {ROLE_WORDS[role]}.
        </p>
      )}
      <Input
        label="Name"
        name="name"
        defaultValue={name ?? ""}
        readOnly={name !== null}
        required
        autoComplete="name"
        autoFocus
      />
      <Input
        label="E-mail"
        name="email"
        type="email"
        defaultValue={email ?? ""}
        readOnly={email !== null}
        required
        autoComplete="username"
      />
      <Input
        label="Password"
        name="password"
        type="password"
        minLength={PASSWORD_CHARS_MIN}
        hint={hint}
        required
        autoComplete="new-password"
      />
      <Input label="Password again" name="again" type="password" required autoComplete="new-password" fault={fault} />
      <Button look="main" type="submit" disabled={join.isPending}>
        {resets ? "Set the password" : role === "owner" && email === null ? "Make the first owner" : "Join"}
      </Button>
    </form>
  );
}
