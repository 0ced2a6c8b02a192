"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useApi } from "../../trpc/client.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";

/** That a list is of one workstation alone: which, and taking that back. */
export function Only({ workstation, onAll }: { workstation: string; onAll: () => void }) {
  const api = useApi();
  const named = useQuery(api.workstation.named.queryOptions({ ids: [workstation] })).data;
  const name = named?.[0]?.name ?? `${workstation.slice(0, 8)}…`;
  return (
    <span className="inline-flex items-baseline rounded-[6px] border border-ink bg-panel px-2 py-1">
      <span className="text-ink-3">on&nbsp;</span>
      <Link href={`/workstations/${workstation}`} className="mono font-medium hover:underline">
        <Untrusted text={name} />
      </Link>
      <button
        type="button"
        aria-label="Of every workstation"
        title="Of every workstation"
        onClick={onAll}
        className="pl-2 text-ink-3 hover:text-ink"
      >
        ×
      </button>
    </span>
  );
}
