"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** A proof mark that is earned: made in this browser, now, against a checkpoint that is named. */
import { useQuery } from "@tanstack/react-query";
import { useApi } from "../../trpc/client.tsx";
import { Facts } from "../../ui/card.tsx";
import { Copy, Hash } from "../../ui/copy.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Dot } from "../../ui/mark.tsx";
import { prove, type Shown } from "../prove.ts";

type Props = { record: Shown & { trail: number; index: number } };

export function ProofTab({ record }: Props) {
  const api = useApi();
  const { trail, index } = record;
  const served = useQuery(api.trail.proof.queryOptions({ trail, index }));
  const proof = served.data;
  const proved = useQuery({
    queryKey: ["proved", trail, index, proof?.size],
    queryFn: () => (proof ? prove(proof, record) : null),
    enabled: proof !== undefined,
    staleTime: 0,
    retry: false,
  });
  if (served.isError) return <Fault message={served.error.message} again={() => void served.refetch()} />;
  if (proved.isError)
    return (
      <Fault
        message={`This browser could not compute the proof: ${proved.error.message}`}
        again={() => void proved.refetch()}
      />
    );
  if (!proof || !proved.data) return <Waiting inside />;
  const { ok, steps, signed } = proved.data;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      <div className="rounded-[8px] border border-line bg-sunk px-3 py-2.5" data-proof={ok ? "whole" : "broken"}>
        {ok ? (
          <>
            <strong className="font-semibold">Verified now</strong>{" "}
            <span className="text-ink-2">
              in this browser, against the checkpoint of {count(proof.size)} records that this trail’s key signed.
            </span>
          </>
        ) : (
          <>
            <strong className="font-semibold text-block">■ Not proved.</strong>{" "}
            <span className="text-ink-2">What this page shows is not what was signed. See which step fails.</span>
          </>
        )}
      </div>
      <ul className="grid gap-2">
        {steps.map((step) => (
          <li key={step.name} className="grid grid-cols-[96px_1fr]">
            <Dot tone={step.ok ? "allow" : "block"}>{step.name}</Dot>
            <span className="text-ink-2 [overflow-wrap:anywhere]">{step.detail}</span>
          </li>
        ))}
      </ul>
      <Facts
        names={92}
        rows={[
          ["trail", proof.origin],
          ["index", count(index)],
          ["root", signed ? <Hash key="r" text={signed.root} ends={10} /> : "–"],
          ["key", <Hash key="k" text={proof.publicKey} ends={10} />],
        ]}
      />
      <section>
        <div className="mb-2 flex justify-between">
          <h2>Checkpoint</h2>
          <Copy text={proof.checkpoint} />
        </div>
        <pre className="mono rounded-[8px] border border-line bg-sunk p-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]">
          {proof.checkpoint}
        </pre>
        <p className="mt-2 text-xs text-ink-3">
          The key came from the console. Compare it with what <code>sallyport-agent status</code> prints on the machine,
          once, and keep a checkpoint elsewhere: then nobody here can rewrite what was before it.
        </p>
      </section>
    </div>
  );
}
