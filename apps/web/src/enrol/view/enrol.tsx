"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { plural } from "../../ui/bytes.ts";
import { Card } from "../../ui/card.tsx";
import { Copy } from "../../ui/copy.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { Header } from "../../ui/header.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { readLabels } from "../../workstation/label.ts";
import type { TokenRow } from "../store.ts";

const HOURS: [number, string][] = [
  [1, "1 hour"],
  [24, "1 day"],
  [24 * 7, "1 week"],
];

export function Enrol() {
  const api = useApi();
  const groups = useQuery(api.policy.groups.queryOptions());
  const tokens = useQuery({ ...api.enrol.list.queryOptions(), refetchInterval: 5_000 });
  if (groups.isError) return <Fault message={groups.error.message} again={() => void groups.refetch()} />;
  if (groups.isPending) return <Waiting />;
  return (
    <>
      <Header title="Enrol" />
      {groups.data.length === 0 ? (
        <Empty title="There is no group yet">
          <p>
            A workstation joins exactly one group, whose policy it follows.{" "}
            <Link href="/policy" className="underline">
              Make a group first
            </Link>
            .
          </p>
        </Empty>
      ) : (
        <div className="grid max-w-[1080px] grid-cols-[400px_1fr] items-start gap-3.5 px-5 py-4">
          <Make groups={groups.data} />
          <Tokens tokens={tokens.data ?? []} />
        </div>
      )}
    </>
  );
}

function Make({ groups }: { groups: { id: string; name: string }[] }) {
  const api = useApi();
  const make = useMutation(api.enrol.make.mutationOptions());
  const [made, setMade] = useState<{ token: string; hasPackages: boolean }>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? "").trim();
    const labels = readLabels(field("labels"));
    const asked = { group: field("group"), labels, uses: Number(field("uses")), hours: Number(field("hours")) };
    const note = field("note");
    setMade(await make.mutateAsync(note ? { ...asked, note } : asked).catch(() => undefined)); // shown under the fields
  };
  if (made) return <Made {...made} onAgain={() => setMade(undefined)} />;
  return (
    <Card title="Make a token">
      <form onSubmit={submit} className="grid gap-3">
        <Select label="Group" name="group" required>
          {groups.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
        <Input
          label="Labels"
          name="labels"
          placeholder="canary floor:3"
          hint="Free marks to pick waves and filter by; none is fine."
        />
        <div className="grid grid-cols-2 gap-3">
          <Select label="Valid for" name="hours" defaultValue="24">
            {HOURS.map(([hours, word]) => (
              <option key={hours} value={hours}>
                {word}
              </option>
            ))}
          </Select>
          <Input label="Uses" name="uses" type="number" min={1} max={1000} defaultValue={1} required />
        </div>
        <Input
          label="Note"
          name="note"
          maxLength={200}
          placeholder="for whom, or which machine"
          fault={make.error?.message}
        />
        <Button look="main" type="submit" className="justify-self-start" disabled={make.isPending}>
          Make a token
        </Button>
      </form>
    </Card>
  );
}

function Made({ token, hasPackages, onAgain }: { token: string; hasPackages: boolean; onAgain: () => void }) {
  return (
    <Card title="Run this in the machine’s dom0">
      <div className="grid gap-3">
        {hasPackages ? (
          <Line name="On Debian, as root: installs from this console, enrols, starts" text={packageLine(token)} />
        ) : null}
        <Line
          name={
            hasPackages ? "Where the package is installed, or in a clone" : "In a clone; with the package, without npx"
          }
          text={`npx sallyport-agent enrol ${token}`}
          data-enrol-line
        />
        <p className="text-ink-2">
          It is shown once and only its hash is kept. It carries this console’s CA fingerprint, so the first contact
          needs no trusted network; whoever holds it can enrol in this group until it runs out.
          {hasPackages && " Upgrades come under the release key alone, which this console does not hold."}
        </p>
        <Button className="justify-self-start" onClick={onAgain}>
          Make another
        </Button>
      </div>
    </Card>
  );
}

function Line({ name, text, ...more }: { name: string; text: string; "data-enrol-line"?: boolean }) {
  return (
    <div className="grid gap-1">
      <div className="flex items-baseline justify-between gap-3">
        <span className="text-xs text-ink-3">{name}</span>
        <Copy text={text} label="Copy the line" className="border border-line px-2 py-1" />
      </div>
      <pre
        className="mono rounded-[8px] border border-line bg-sunk p-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]"
        {...more}
      >
        {text}
      </pre>
    </div>
  );
}

const KEYRING = "sallyport-archive-keyring.gpg";

/** The address is where this page was opened: machines reach the console by the name that people do. */
function packageLine(token: string): string {
  const url = `${window.location.origin}/packages`;
  const keyring = `/usr/share/keyrings/${KEYRING}`;
  return [
    `curl -fsSo ${keyring} ${url}/${KEYRING}`,
    `echo "deb [signed-by=${keyring}] ${url} ./" > /etc/apt/sources.list.d/sallyport.list`,
    "apt-get update",
    "apt-get install -y sallyport-agent",
    // the package brings the same source, as a file of its own
    "{ [ ! -e /etc/apt/sources.list.d/sallyport.sources ] || rm /etc/apt/sources.list.d/sallyport.list; }",
    `sallyport-agent enrol ${token}`,
    "systemctl start sallyport-agent",
  ].join(" && ");
}

function Tokens({ tokens }: { tokens: TokenRow[] }) {
  const api = useApi();
  const tell = useTell();
  const revoke = useMutation({
    ...api.enrol.revoke.mutationOptions(),
    onError: tell.failed,
    onSuccess: () => tell.done("Revoked: it enrols nothing any more."),
  });
  return (
    <Card title="Tokens that still work">
      {tokens.length === 0 ? (
        <p className="text-ink-2">None. A token that is used up, has run out or was revoked is not listed.</p>
      ) : (
        <ul className="grid gap-2">
          {tokens.map((token) => (
            <li key={token.id} className="flex items-baseline gap-3">
              <span className="mono text-ink-3">{token.id.slice(0, 8)}</span>
              <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
                {token.group.name}
                {token.labels.length > 0 && <span className="text-ink-2"> · {token.labels.join(" ")}</span>}
                {token.note && (
                  <span className="text-ink-2">
                    {" "}
                    · <Untrusted text={token.note} />
                  </span>
                )}
                <br />
                <span className="text-xs text-ink-3">
                  {token.used} of {plural(token.uses, "use")} · runs out <Ago time={token.expires} /> · by{" "}
                  {token.by ?? "the console"}
                </span>
              </span>
              <Button look="danger" onClick={() => revoke.mutate({ id: token.id })}>
                Revoke
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
