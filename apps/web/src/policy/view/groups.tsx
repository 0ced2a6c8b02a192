"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Input } from "../../ui/field.tsx";
import { Header } from "../../ui/header.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { GroupRow } from "../store.ts";

const EVERY_MS = 5_000;

type InForce = { group: string; workstations: number; inForce: number };

const columns = (reports: readonly InForce[] | undefined): Column<GroupRow>[] => [
  {
    head: "Group",
    track: "minmax(120px, 0.5fr)",
    leads: true,
    cell: (row) => <b className="font-medium">{row.name}</b>,
  },
  { head: "Workstations", track: "96px", right: true, mono: true, cell: (row) => count(row.workstations) },
  { head: "Wanted", track: "72px", mono: true, cell: (row) => (row.inForce ? `r${row.inForce.order}` : "nothing") },
  {
    head: "In force",
    track: "88px",
    cell: (row) => row.inForce && reports && <Reached found={reports.find(({ group }) => group === row.id)} />,
  },
  {
    head: "What changed",
    track: "minmax(0, 1fr)",
    cell: (row) => row.inForce && <Untrusted text={row.inForce.message} />,
  },
  { head: "Published", track: "104px", cell: (row) => row.inForce && <Ago time={row.inForce.publishedAt} /> },
  {
    head: "Source",
    track: "minmax(72px, 0.4fr)",
    cell: (row) =>
      row.repository === null ? <span className="text-ink-3">here</span> : <Untrusted text={row.repository} />,
  },
  { head: "By", track: "minmax(80px, 0.4fr)", cell: (row) => row.inForce?.by },
  {
    head: "Signatures",
    track: "minmax(96px, 150px)",
    cell: (row) => (
      <span className="text-ink-2">
        {row.threshold > 1 ? `console and ${plural(row.threshold - 1, "approver")}` : "console alone"}
      </span>
    ),
  },
];

/** Of how many of its workstations it was found in force: published is not applied. */
function Reached({ found }: { found: InForce | undefined }) {
  if (!found) return <span className="text-ink-3">–</span>;
  const isAll = found.inForce === found.workstations;
  return (
    <span className={isAll ? "text-allow" : "text-hold"}>
      {isAll ? "●" : "◐"} {count(found.inForce)} of {count(found.workstations)}
    </span>
  );
}

export function Groups() {
  const api = useApi();
  const mayWrite = useMay("policy");
  const groups = useQuery(api.policy.groups.queryOptions());
  const reports = useQuery({ ...api.workstation.inForce.queryOptions(), refetchInterval: EVERY_MS }).data;
  const rows = groups.data ?? [];
  const [making, setMaking] = useState(false);
  return (
    <>
      <Header title="Policy" about="One policy per group; each workstation is in exactly one.">
        {mayWrite && <Button onClick={() => setMaking(true)}>New group…</Button>}
      </Header>
      <Listed
        asked={groups}
        isEmpty={rows.length === 0}
        empty={
          <Empty title="No group yet">
            <p>
              A group is the workstations that share one policy and its signers. Make one, then enrol workstations into
              it.
            </p>
            {mayWrite && (
              <Button look="main" className="justify-self-center" onClick={() => setMaking(true)}>
                New group…
              </Button>
            )}
          </Empty>
        }
      >
        <Table<GroupRow>
          label="Groups"
          columns={columns(reports)}
          rows={rows}
          keyOf={(row) => row.id}
          hrefOf={(row) => `/policy/${row.id}`}
        />
      </Listed>
      <MakeGroup open={making} onClose={() => setMaking(false)} />
    </>
  );
}

function MakeGroup({ open, onClose }: { open: boolean; onClose: () => void }) {
  const api = useApi();
  const router = useRouter();
  const make = useMutation(api.policy.makeGroup.mutationOptions());
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name"));
    const made = await make.mutateAsync({ name }).catch(() => undefined); // shown under the field
    if (made) router.push(`/policy/${made.id}`);
  };
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title="New group"
      description="Signed for by this console’s key alone, until it is given approvers."
    >
      <form onSubmit={submit} className="grid gap-3">
        <Input label="Name" name="name" required maxLength={64} autoFocus fault={make.error?.message} />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={make.isPending}>
            Make the group
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}
