"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card, Facts } from "../../ui/card.tsx";
import { Waiting } from "../../ui/empty.tsx";
import { Input } from "../../ui/field.tsx";
import { Header } from "../../ui/header.tsx";
import { Mark } from "../../ui/mark.tsx";
import { useTell } from "../../ui/toast.tsx";
import { PASSWORD_CHARS_MIN } from "../password.ts";
import { ROLE_WORDS } from "../role.ts";
import { ApiTokens } from "./api-tokens.tsx";
import { askAuth } from "./ask.ts";
import { SecondFactor } from "./second-factor.tsx";

export function Account({ welcome }: { welcome: boolean }) {
  const api = useApi();
  const me = useQuery(api.person.me.queryOptions()).data;
  if (!me) return <Waiting />;
  return (
    <>
      <Header title="Account" />
      <div className="grid max-w-[760px] gap-3.5 px-5 py-4">
        {welcome && !me.twoFactor && (
          <p className="rounded-[9px] border border-line bg-panel px-4 py-3">
            Welcome, {me.name}. Set up a second factor now: a password alone can be stolen by one wrong page.
          </p>
        )}
        <Card title="You">
          <Facts
            rows={[
              ["Name", me.name],
              ["E-mail", me.email],
              ["Role", `${me.role}: ${ROLE_WORDS[me.role]}`],
            ]}
          />
        </Card>
        <Card
          title="Second factor"
          aside={me.twoFactor ? <Mark tone="allow">on</Mark> : <Mark tone="hold">password alone</Mark>}
        >
          <SecondFactor on={me.twoFactor} />
        </Card>
        <Card title="Password">
          <ChangePassword />
        </Card>
        <ApiTokens />
      </div>
    </>
  );
}

function ChangePassword() {
  const tell = useTell();
  const queries = useQueryClient();
  const [fault, setFault] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    setFault(undefined);
    const answer = await askAuth("/change-password", {
      currentPassword: String(form.get("old")),
      newPassword: String(form.get("new")),
      revokeOtherSessions: true,
    });
    if (!answer.ok) return setFault(answer.message);
    element.reset();
    tell.done("Password changed. Every other session of yours was ended.");
    await queries.invalidateQueries();
  };
  return (
    <form onSubmit={submit} className="grid max-w-[340px] gap-3">
      <Input label="Present password" name="old" type="password" autoComplete="current-password" required />
      <Input
        label="New password"
        name="new"
        type="password"
        autoComplete="new-password"
        minLength={PASSWORD_CHARS_MIN}
        required
        fault={fault}
      />
      <Button type="submit" className="justify-self-start">
        Change password
      </Button>
    </form>
  );
}
