"use client";
import { handsOver } from "@sallyport/shared/usb/exception.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { plural } from "../../ui/bytes.ts";
import { Input, Select } from "../../ui/field.tsx";
import { exact } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";

const EVERY_MS = 5_000;
const HOURS = [
  [1, "1 hour"],
  [8, "8 hours"],
  [24, "1 day"],
  [168, "7 days"],
] as const;

/** A stick that is held asks; whoever writes policy may let exactly these contents pass on that workstation, for a while. */
export function Exception({ trail, index }: { trail: number; index: number }) {
  const api = useApi();
  const mayExcept = useMay("policy");
  const tell = useTell();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [hours, setHours] = useState(8);
  const asked = useQuery({ ...api.usb.request.queryOptions({ trail, index }), refetchInterval: EVERY_MS });
  const except = useMutation(api.usb.except.mutationOptions());
  if (!asked.data) return null;
  const { files, given, reason: why, images } = asked.data;
  const current = given && Date.parse(given.notAfter) > Date.now() ? given : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    except.mutate(
      { trail, index, hours, reason },
      {
        onSuccess: ({ name, notAfter, waiting }) => {
          tell.done(
            waiting
              ? waitsWords("The exception", waiting)
              : `Signed: these contents may pass on ${name} until ${exact(notAfter)}`,
          );
          void queries.invalidateQueries({ queryKey: api.usb.request.queryKey({ trail, index }) });
        },
      },
    );
  };
  return (
    <section aria-label="Exception" className="border-b border-line px-5 py-3">
      {current ? (
        <p>
          Allowed until {exact(current.notAfter)} by an exception: <Untrusted text={current.reason} />
        </p>
      ) : (
        <>
          <p className="[overflow-wrap:anywhere]">
            The stick waits for a person: <Untrusted text={why} />
          </p>
          <p className="mt-1 [overflow-wrap:anywhere]">
            Handed over would be {handsOver({ images: images ?? undefined })}.
          </p>
          {mayExcept && (
            <form onSubmit={submit} className="mt-2 flex flex-wrap items-end gap-3">
              <div className="w-[360px] max-w-full">
                <Input
                  label="Why may it pass?"
                  value={reason}
                  onChange={(event) => setReason(event.target.value)}
                  fault={except.isError ? except.error.message : undefined}
                  minLength={3}
                  maxLength={500}
                  required
                />
              </div>
              <Select label="For" value={hours} onChange={(event) => setHours(Number(event.target.value))}>
                {HOURS.map(([value, word]) => (
                  <option key={value} value={value}>
                    {word}
                  </option>
                ))}
              </Select>
              <Button type="submit" look="danger" disabled={except.isPending}>
                {images
                  ? `Let ${images.length === 1 ? "the whole image" : `${images.length} whole images`} pass on this workstation`
                  : `Let these ${plural(files, "file")} pass on this workstation`}
              </Button>
            </form>
          )}
        </>
      )}
    </section>
  );
}
