"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Copy } from "../../ui/copy.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { Header } from "../../ui/header.tsx";
import { More } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { rowsOf } from "../../ui/pages.ts";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { readLabels } from "../../workstation/label.ts";
import { enrolLine, packageLine } from "../line.ts";
import type { Packages } from "../packages.ts";

const EVERY_MS = 5_000;

const HOURS: [number, string][] = [
  [1, "1 hour"],
  [24, "1 day"],
  [24 * 7, "1 week"],
];

export function Enrol() {
  const api = useApi();
  const groups = useQuery(api.policy.groups.queryOptions());
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
          <Tokens />
        </div>
      )}
    </>
  );
}

function Make({ groups }: { groups: { id: string; name: string }[] }) {
  const api = useApi();
  const make = useMutation(api.enrol.make.mutationOptions());
  const [made, setMade] = useState<MadeToken>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? "").trim();
    const labels = readLabels(field("labels"));
    const asked = { group: field("group"), labels, uses: Number(field("uses")), hours: Number(field("hours")) };
    const note = field("note");
    const answer = await make.mutateAsync(note ? { ...asked, note } : asked).catch(() => undefined); // shown under the fields
    setMade(answer && { ...answer, uses: asked.uses });
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

/** `uses`: one that enrols many machines is typed at each, and stays in nobody's history. */
type MadeToken = { token: string; packages: Packages | null; uses: number };

function Made({ token, packages, uses, onAgain }: MadeToken & { onAgain: () => void }) {
  const isOnce = uses === 1;
  const enrol = (program: string) => enrolLine(program, isOnce ? token : undefined);
  const without = packageFault(packages);
  return (
    <Card title={isOnce ? "Run this in the machine’s dom0" : "Run this in each machine’s dom0"}>
      <div className="grid gap-3">
        {packages?.sources && without === undefined ? (
          <Line
            name="On Debian, as root: installs from this console, enrols, starts"
            text={packageLine(window.location.origin, packages.sources, enrol("sallyport-agent"))}
          />
        ) : null}
        <Line
          name={
            packages ? "Where the package is installed, or in a clone" : "In a clone; with the package, without npx"
          }
          text={enrol("npx sallyport-agent")}
          data-enrol-line
        />
        {!isOnce && (
          <Line
            name="The token: paste it where the line asks for it"
            text={token}
            copy="Copy the token"
            data-enrol-token
          />
        )}
        {without && <p className="text-ink-2">{without}</p>}
        <p className="text-ink-2">
          The token is shown once and only its hash is kept. It carries this console’s CA fingerprint, so enrolling
          needs no trusted network; whoever holds it can enrol in this group until it runs out
          {isOnce ? "" : ` or ${plural(uses, "machine")} have`}.
          {packages && " Upgrades come under the release key alone, which this console does not hold."}
        </p>
        <Button className="justify-self-start" onClick={onAgain}>
          Make another
        </Button>
      </div>
    </Card>
  );
}

function Line({
  name,
  text,
  copy = "Copy the line",
  ...more
}: {
  name: string;
  text: string;
  copy?: string;
  "data-enrol-line"?: boolean;
  "data-enrol-token"?: boolean;
}) {
  return (
    <div className="grid gap-1">
      <div className="flex items-baseline justify-between gap-3">
        <span className="text-xs text-ink-3">{name}</span>
        <Copy text={text} label={copy} className="border border-line px-2 py-1" />
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

/** Why there are packages and no line for them, in words. What comes without TLS may be anybody's, the sum in the line
 *  included. */
function packageFault(packages: Packages | null): string | undefined {
  if (!packages) return undefined;
  if (!packages.sources)
    return "This console serves a package repository that was made without its address. Make it again with --url, and the line that installs stands here.";
  if (!window.isSecureContext)
    return "This page came without TLS, where anybody on the way could change the line that installs. Open the console by https, and it stands here.";
  return undefined;
}

function Tokens() {
  const api = useApi();
  const pages = useInfiniteQuery({
    ...api.enrol.list.infiniteQueryOptions({}, { getNextPageParam: ({ next }) => next }),
    refetchInterval: pace(EVERY_MS),
  });
  const tokens = rowsOf(pages.data?.pages, ({ id }) => id);
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
      <More pages={pages}>Show older ones</More>
    </Card>
  );
}
