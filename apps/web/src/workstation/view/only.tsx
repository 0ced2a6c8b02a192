"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useApi } from "../../trpc/client.tsx";
import { Narrowed } from "../../ui/narrowed.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";

/** That a list is of one workstation alone: which, and taking that back. */
export function Only({ workstation, onAll }: { workstation: string; onAll: () => void }) {
  const api = useApi();
  const named = useQuery(api.workstation.named.queryOptions({ ids: [workstation] })).data;
  const name = named?.[0]?.name ?? `${workstation.slice(0, 8)}…`;
  return (
    <Narrowed by="on" all="Of every workstation" onAll={onAll}>
      <Link href={`/workstations/${workstation}`} className="mono font-medium hover:underline">
        <Untrusted text={name} />
      </Link>
    </Narrowed>
  );
}
