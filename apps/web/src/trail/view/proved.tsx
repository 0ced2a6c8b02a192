"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** A proof mark beside a record in a list: asked for, then made in this browser, never assumed. */
import { useQuery } from "@tanstack/react-query";
import { useApiClient } from "../../trpc/client.tsx";
import { Dot } from "../../ui/mark.tsx";
import { prove } from "../prove.ts";

type At = { trail: number; index: number };

export function useProved({ trail, index }: At, asked: boolean) {
  const client = useApiClient();
  return useQuery({
    queryKey: ["proved-at", trail, index],
    queryFn: async () => {
      const at = { trail, index };
      const [proof, record] = await Promise.all([client.trail.proof.query(at), client.record.get.query(at)]);
      return { ...(await prove(proof, record)), size: proof.size, hashes: proof.path.length };
    },
    enabled: asked,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

export function Proved({ at, asked, onAsk }: { at: At; asked: boolean; onAsk: () => void }) {
  const proved = useProved(at, asked);
  if (!asked)
    return (
      <button
        type="button"
        onClick={onAsk}
        className="text-xs text-ink-3 opacity-0 group-hover:opacity-100 hover:text-ink focus-visible:opacity-100"
      >
        prove
      </button>
    );
  if (proved.isPending) return <span className="text-xs text-ink-3">proving…</span>;
  if (proved.isError)
    return (
      <span className="text-xs" title={proved.error.message}>
        <Dot tone="hold">no proof yet</Dot>
      </span>
    );
  const { ok, size, steps } = proved.data;
  const broken = steps.find((step) => !step.ok);
  return (
    <span
      className="text-xs"
      data-proved={ok ? "whole" : "broken"}
      title={ok ? `Verified in this browser against the checkpoint of ${count(size)} records` : broken?.detail}
    >
      <Dot tone={ok ? "allow" : "block"}>{ok ? "proved" : "not proved"}</Dot>
    </span>
  );
}
