"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Copy } from "../../ui/copy.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";

const DAYS = [7, 30, 90, 365] as const;
const DAYS_AT_FIRST = 90;
/** What people make tokens for; one token may be for several. */
const USES = {
  export: ["export"],
  "policy, read, plan and replay": ["policy:read"],
  "policy, apply from a pipeline": ["policy:read", "policy:write"],
  "artifacts, add and remove": ["artifact:read", "artifact:write"],
  "rollouts, read": ["rollout:read"],
  "rollouts, begin and move": ["rollout:read", "rollout:write"],
  "approvals, fetch and hand in signatures": ["approval"],
  "blocked everywhere, read": ["deny:read"],
  "blocked everywhere, block and lift": ["deny:read", "deny:write"],
  "exceptions for sticks, read": ["exception:read"],
  "exceptions for sticks, revoke": ["exception:read", "exception:write"],
  "commands, read": ["command:read"],
  "commands, isolate and look into many at once": ["command:read", "command:write"],
} as const;
type Use = keyof typeof USES;

/** Tokens of one's own for the command line. What a token may do is its scope, and never more than its person. */
export function ApiTokens() {
  const api = useApi();
  const tell = useTell();
  const queries = useQueryClient();
  const tokens = useQuery(api.token.list.queryOptions());
  const make = useMutation(api.token.make.mutationOptions());
  const revoke = useMutation({ ...api.token.revoke.mutationOptions(), onError: tell.failed });
  const [made, setMade] = useState<string>();
  const [forNothing, setForNothing] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const typed = new FormData(form);
    const scopes = [...new Set(typed.getAll("use").flatMap((use) => USES[use as Use]))];
    setForNothing(scopes.length === 0);
    if (scopes.length === 0) return;
    const asked = { name: String(typed.get("name")), scopes, days: Number(typed.get("days")) };
    const done = await make.mutateAsync(asked).catch(() => undefined); // shown under the field
    if (!done) return;
    form.reset();
    setMade(done.token);
    await queries.invalidateQueries();
  };
  return (
    <Card title="API tokens">
      <p className="pb-2 text-ink-2">
        For the command line, <span className="mono">sallyport</span>: a token may do what its scopes name, and never
        more than you may here. Put it into <span className="mono">SALLYPORT_TOKEN</span>.
      </p>
      {made && (
        <div className="mb-3 grid gap-1.5 rounded-[8px] border border-line bg-sunk p-2.5">
          <pre className="mono whitespace-pre-wrap [overflow-wrap:anywhere]" data-api-token>
            {made}
          </pre>
          <p className="text-ink-2">
            It is not shown again. <Copy text={made} />
          </p>
        </div>
      )}
      <ul className="grid gap-1.5 pb-3">
        {(tokens.data ?? []).map((token) => (
          <li key={token.id} className="flex items-baseline gap-3">
            <span className="min-w-0 flex-1">
              {token.name} <span className="mono text-ink-2">{token.scopes.join(" ")}</span>
              <span className="text-ink-3">
                {" "}
                · runs out <Ago time={token.expires} /> · used <Ago time={token.lastUsedAt} />
              </span>
            </span>
            <Button
              look="danger"
              onClick={() => revoke.mutate({ id: token.id }, { onSuccess: () => void queries.invalidateQueries() })}
            >
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      <form onSubmit={submit} className="grid max-w-[340px] gap-3">
        <Input label="Name of a new token" name="name" required maxLength={64} fault={make.error?.message} />
        <fieldset className="grid gap-1" onChange={() => setForNothing(false)}>
          <legend className="pb-1 text-ink-2">For</legend>
          {Object.keys(USES).map((use) => (
            <label key={use} className="flex items-baseline gap-2">
              <input type="checkbox" name="use" value={use} /> {use}
            </label>
          ))}
          {forNothing && (
            <p role="alert" className="text-xs text-block">
              ■ Choose what it is for.
            </p>
          )}
        </fieldset>
        <Select label="Runs out after" name="days" defaultValue={DAYS_AT_FIRST}>
          {DAYS.map((days) => (
            <option key={days} value={days}>
              {plural(days, "day")}
            </option>
          ))}
        </Select>
        <Button type="submit" disabled={make.isPending} className="justify-self-start">
          Make a token
        </Button>
      </form>
    </Card>
  );
}
