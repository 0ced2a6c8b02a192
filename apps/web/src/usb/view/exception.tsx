"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { EXCEPTION_REASON_CHARS_MAX, handsOver } from "@sallyport/shared/usb/exception.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useMay } from "../../overview/view/shell.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { Mark } from "../../ui/mark.tsx";
import { exact } from "../../ui/time.tsx";
import { useTell } from "../../ui/toast.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Asked } from "../exception.ts";

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
  const revoke = useMutation(api.usb.revoke.mutationOptions());
  const refuse = useMutation(api.usb.refuse.mutationOptions());
  const mayDeny = useMay("deny");
  if (!asked.data) return null;
  const { files, given, images, workstation } = asked.data;
  const current = given && !given.revoked && Date.parse(given.notAfter) > Date.now() ? given : null;
  const again = () => {
    setReason("");
    void queries.invalidateQueries({ queryKey: api.usb.request.queryKey({ trail, index }) });
  };
  const takeBack = (event: FormEvent) => {
    event.preventDefault();
    if (!current) return;
    revoke.mutate(
      { workstation: workstation as WorkstationId, exception: current.exception as Sha256, reason },
      {
        onSuccess: ({ name }) => {
          tell.done(`Signed: the stick may not pass on ${name} any more`);
          again();
        },
      },
    );
  };
  const sayNo = () =>
    refuse.mutate(
      { trail, index, reason },
      {
        onSuccess: () => {
          tell.done("Refused: the stick stays held");
          again();
        },
      },
    );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!mayExcept) {
      sayNo();
      return;
    }
    except.mutate(
      { trail, index, hours, reason },
      {
        onSuccess: ({ name, notAfter, waiting }) => {
          tell.done(
            waiting
              ? waitsWords("The exception", waiting)
              : `Signed: these contents may pass on ${name} until ${exact(notAfter)}`,
          );
          again();
        },
      },
    );
  };
  return (
    <section aria-label="Exception" className="grid gap-1.5 border-b border-line px-5 py-3">
      <Standing asked={asked.data} current={current} />
      {current ? (
        mayDeny && (
          <form onSubmit={takeBack} className="mt-1 flex flex-wrap items-end gap-3">
            <div className="w-[360px] max-w-full">
              <Input
                label="Why is it taken back?"
                value={reason}
                onChange={(event) => setReason(event.target.value)}
                fault={revoke.isError ? revoke.error.message : undefined}
                minLength={3}
                maxLength={200}
                required
              />
            </div>
            <Button type="submit" look="danger" disabled={revoke.isPending}>
              Revoke: the guest loses the stick at once
            </Button>
          </form>
        )
      ) : asked.data.signing ? null : (
        <>
          <p className="text-ink-2 [overflow-wrap:anywhere]">
            Handed over would be {handsOver({ images: images ?? undefined })}.
          </p>
          {(mayExcept || mayDeny) && (
            <form onSubmit={submit} className="mt-1 flex flex-wrap items-end gap-3">
              <div className="w-[360px] max-w-full">
                <Input
                  label="Why may it pass, or not?"
                  value={reason}
                  onChange={(event) => setReason(event.target.value)}
                  fault={(except.error ?? refuse.error)?.message}
                  minLength={3}
                  maxLength={EXCEPTION_REASON_CHARS_MAX}
                  required
                />
              </div>
              {mayExcept && (
                <Select label="For" value={hours} onChange={(event) => setHours(Number(event.target.value))}>
                  {HOURS.map(([value, word]) => (
                    <option key={value} value={value}>
                      {word}
                    </option>
                  ))}
                </Select>
              )}
              {mayExcept && (
                <Button type="submit" look="danger" disabled={except.isPending}>
                  {images
                    ? `Let ${images.length === 1 ? "the whole image" : `${images.length} whole images`} pass on this workstation`
                    : `Let these ${plural(files, "file")} pass on this workstation`}
                </Button>
              )}
              {mayDeny && (
                <Button
                  type={mayExcept ? "button" : "submit"}
                  disabled={refuse.isPending}
                  onClick={mayExcept ? ({ currentTarget: { form } }) => form?.reportValidity() && sayNo() : undefined}
                >
                  Refuse
                </Button>
              )}
            </form>
          )}
        </>
      )}
    </section>
  );
}

/** What came of the request, the newest answer last; then that the stick is held, where it is. */
function Standing({ asked, current }: { asked: Asked; current: Asked["given"] }) {
  const { given, refused, signing, reason } = asked;
  const line = "[overflow-wrap:anywhere]";
  if (current)
    return (
      <p className={line}>
        <Mark tone="allow">may pass</Mark> until {exact(current.notAfter)}, by an exception:{" "}
        <Untrusted text={current.reason} />
      </p>
    );
  const isAnswered = Boolean(given?.revoked || refused);
  return (
    <>
      {given?.revoked && (
        <p className={line}>
          <Mark tone="block">revoked</Mark> on {exact(given.revoked.at)}: <Untrusted text={given.revoked.reason} />
        </p>
      )}
      {refused && (
        <p className={line}>
          <Mark tone="block">refused</Mark> on {exact(refused.at)} by {refused.by}: <Untrusted text={refused.reason} />
        </p>
      )}
      {signing && (
        <p className={line}>
          <Mark tone="hold">to be signed</Mark> An exception until {exact(signing.until)}{" "}
          <Link className="underline" href={`/approvals/${signing.id}`}>
            waits for signatures
          </Link>
          ; whoever would not have it withdraws it there.
        </p>
      )}
      <p className={line}>
        <Mark tone="hold">held</Mark> {isAnswered || signing ? "The stick is held" : "The stick waits for a person"}:{" "}
        <Untrusted text={reason} />
      </p>
    </>
  );
}
