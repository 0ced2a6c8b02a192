"use client";
/** Recovery keys that came sealed from one workstation: whether each still opens its volume, and taking one. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Hash } from "../../ui/copy.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { PartTable } from "../../ui/part-table.tsx";
import { Ago } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { type Found, standingOf } from "../standing.ts";
import type { EscrowRow } from "../store.ts";

const EVERY_MS = 10_000;

export function Escrow({ workstation, volume }: { workstation: string; volume: Found }) {
  const api = useApi();
  const mayTake = useMay("escrow");
  const listed = useQuery({ ...api.escrow.list.queryOptions({ workstation }), refetchInterval: EVERY_MS });
  return (
    <Card title="Recovery keys" aside="sealed to the organisation; the console cannot open them">
      {listed.isError ? (
        <Fault message={listed.error.message} again={() => void listed.refetch()} />
      ) : listed.data && listed.data.length > 0 ? (
        <>
          <Keys rows={listed.data} volume={volume} mayTake={mayTake} />
          <p className="mt-2 text-ink-2">
            One is opened outside the console, by whoever holds the organisation’s key:{" "}
            <code className="mono">sallyport disk unseal FILE --key organisation.pem</code>. After it was used,{" "}
            <code className="mono">sallyport-agent disk recovery</code> in dom0 puts another in its place.
          </p>
        </>
      ) : listed.isPending ? (
        <Waiting inside />
      ) : (
        <p className="text-ink-2">
          None came from it. A volume that the agent makes has one from the start; one that is there already is given
          one by sallyport-agent disk recovery in dom0.
        </p>
      )}
    </Card>
  );
}

function Keys({ rows, volume, mayTake }: { rows: EscrowRow[]; volume: Found; mayTake: boolean }) {
  return (
    <PartTable heads={["State", "Volume", "Slot", "Sealed to key", "Came", ""]}>
      {rows.map((row) => (
        <Key key={`${row.trail}.${row.index}`} row={row} volume={volume} mayTake={mayTake} />
      ))}
    </PartTable>
  );
}

function Key({ row, volume, mayTake }: { row: EscrowRow; volume: Found; mayTake: boolean }) {
  const api = useApi();
  const tell = useTell();
  const take = useMutation({
    ...api.escrow.take.mutationOptions(),
    onSuccess: ({ name, file }) => {
      save(name, file);
      tell.done("Taken, and that you took it is on the console’s trail.");
    },
    onError: ({ message }) => tell.failed(message),
  });
  const { tone, word, reason } = standingOf(row, volume);
  return (
    <tr className="border-b border-line align-baseline last:border-b-0 [&>td]:py-1 [&>td]:pr-4">
      <td>
        <Mark tone={tone}>{word}</Mark> <span className="text-ink-2">{reason}</span>{" "}
        {row.destroyedAt && <Ago time={row.destroyedAt} />}
      </td>
      <td className="whitespace-nowrap">
        <Hash text={row.volume} ends={8} />
      </td>
      <td className="mono">{row.slot}</td>
      <td className="mono">{row.to}</td>
      <td className="whitespace-nowrap">
        <Ago time={row.received} />
      </td>
      <td className="text-right whitespace-nowrap">
        {mayTake && !row.wiped && (
          <Button disabled={take.isPending} onClick={() => take.mutate({ trail: row.trail, index: row.index })}>
            Download
          </Button>
        )}
      </td>
    </tr>
  );
}

/** As a file of the browser's own: nothing is fetched a second time. */
function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
