"use client";
/** What the fleet fetches by its sha256: sent here, listed, copied into a policy, taken away. */
import { ARTIFACT_KINDS, type ArtifactRow } from "@sallyport/shared/artifact/artifact.ts";
import { count, plural } from "@sallyport/shared/base/count.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { bytes } from "../../ui/bytes.ts";
import { Card } from "../../ui/card.tsx";
import { Copy, Hash } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Empty, Fault, Waiting } from "../../ui/empty.tsx";
import { Header } from "../../ui/header.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { definitionsLines, KIND_WORDS, rulesLine } from "../words.ts";
import { Send } from "./send.tsx";

export function Artifacts() {
  const api = useApi();
  const list = useQuery(api.artifact.list.queryOptions());
  const mayChange = useMay("policy");
  const [going, setGoing] = useState<ArtifactRow>();
  if (list.isError) return <Fault message={list.error.message} again={() => void list.refetch()} />;
  if (list.isPending) return <Waiting />;
  const rows = list.data;
  return (
    <>
      <Header title="Artifacts" />
      <div className="grid max-w-[1120px] grid-cols-[320px_minmax(0,1fr)] items-start gap-3.5 px-5 py-4 max-[900px]:grid-cols-1">
        <div className="grid gap-3.5">
          {mayChange && <Send />}
          <HowItWorks />
        </div>
        <div className="grid gap-3.5">
          <Missed />
          {rows.length === 0 && (
            <Empty title="There is none yet">
              <p>
                Workstations keep the rules and the definitions that they have. Send some here, and name them in a
                policy.
              </p>
            </Empty>
          )}
          {ARTIFACT_KINDS.map((kind) => ({ kind, of: rows.filter((row) => row.kind === kind) }))
            .filter(({ of }) => of.length > 0)
            .map(({ kind, of }) => (
              <Card
                key={kind}
                title={KIND_WORDS[kind]}
                aside={
                  kind === "clamav-definitions" && (
                    <Copy text={definitionsLines(of)} label="Copy the newest of each for the policy" />
                  )
                }
              >
                <ul className="grid gap-2.5">
                  {of.map((row) => (
                    <Row key={row.sha256} row={row} onRemove={mayChange ? () => setGoing(row) : undefined} />
                  ))}
                </ul>
              </Card>
            ))}
        </div>
      </div>
      {going && <Remove row={going} onClose={() => setGoing(undefined)} />}
    </>
  );
}

/** Named by a policy and not here: nobody who looks at either alone would see it. */
function Missed() {
  const api = useApi();
  const { data: missing = [] } = useQuery(api.artifact.missing.queryOptions());
  if (missing.length === 0) return null;
  return (
    <Card title="Named by a policy, and not here">
      <ul className="grid gap-1.5">
        {missing.map(({ group, sha256, what }) => (
          <li key={`${group}/${sha256}/${what}`} className="[overflow-wrap:anywhere]">
            <span className="text-block">■</span> <Untrusted text={group} /> names {what}, sha256{" "}
            <Hash text={sha256} ends={8} />
          </li>
        ))}
      </ul>
      <p className="pt-2 text-ink-2">
        Workstations that do not have it already go on with what they had, and report it. Add the file, or publish a
        policy without it.
      </p>
    </Card>
  );
}

function HowItWorks() {
  return (
    <Card title="How it comes into force">
      <p className="text-ink-2">
        A policy names a file by its sha256, and that is signed: nobody who changes what lies here can give a
        workstation something else. A workstation fetches it with its own certificate, tests it aside, and goes on with
        what it had where the detector or the scanner refuses it. Its page says what it has.
      </p>
    </Card>
  );
}

function Row({ row, onRemove }: { row: ArtifactRow; onRemove: (() => void) | undefined }) {
  return (
    <li className="flex items-baseline gap-3">
      <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        <Untrusted text={row.name} /> <span className="text-ink-2">· {factWords(row)}</span>
        <br />
        <span className="text-xs text-ink-3">
          sha256 <Hash text={row.sha256} ends={8} /> · added <Ago time={row.addedAt} /> by {row.addedBy} ·{" "}
          {row.groups.length > 0 ? (
            <b className="font-medium text-ink-2">in the policy of {row.groups.join(", ")}</b>
          ) : (
            "in no policy"
          )}
        </span>
      </span>
      {row.kind === "suricata-rules" && <Copy text={rulesLine(row)} label="Copy for the policy" />}
      {onRemove && (
        <Button
          look="bare"
          onClick={onRemove}
          disabled={row.groups.length > 0}
          aria-label={`Remove ${row.name}, sha256 ${row.sha256.slice(0, 8)}…`}
        >
          Remove…
        </Button>
      )}
    </li>
  );
}

function factWords({ facts, bytes: size }: ArtifactRow): string {
  const { rules, files, signatures, version, made } = facts;
  return [
    ...(rules === undefined
      ? []
      : [`${plural(rules, "rule")}${files === undefined ? "" : ` of ${plural(files, "file")}`}`]),
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(made === undefined ? [] : [`of ${made.slice(0, 10)}`]),
    ...(signatures === undefined ? [] : [`${count(signatures)} signatures`]),
    bytes(size),
  ].join(" · ");
}

function Remove({ row, onClose }: { row: ArtifactRow; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const queries = useQueryClient();
  const remove = useMutation({
    ...api.artifact.remove.mutationOptions(),
    onError: tell.failed,
    onSuccess: async () => {
      await queries.invalidateQueries();
      tell.done(`${row.name} was removed.`);
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove ${row.name}?`}
      description="No policy names it. Workstations that have it keep it; nobody can fetch it any more, and going back to an old policy that names it would fail."
    >
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Keep it</Button>
        <Button look="danger" disabled={remove.isPending} onClick={() => remove.mutate({ sha256: row.sha256 })}>
          Remove
        </Button>
      </div>
    </Dialog>
  );
}
