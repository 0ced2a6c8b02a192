"use client";
/** Telling a workstation something: what it will do is said before it is signed; what destroys wants its name typed. */
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { VERB_RULES, type Verb, type VerbRule } from "@sallyport/shared/command/verb.ts";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Select, Why } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import { foundVolume } from "../../workstation/found.ts";
import type { WorkstationRow } from "../../workstation/store.ts";
import { VERB_WORDS } from "../words.ts";

/** Minutes. Below the seven days that a workstation takes at most, by a day for clocks that differ. */
const SPANS: readonly [number, string][] = [
  [60, "an hour"],
  [8 * 60, "8 hours"],
  [24 * 60, "a day"],
  [3 * 24 * 60, "3 days"],
  [6 * 24 * 60, "6 days"],
];
const SPAN_FIRST = 8 * 60;

type Props = { row: WorkstationRow; first: Verb; verbs: readonly Verb[]; onClose: () => void };

export function Ask({ row, first, verbs, onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  // what was on the page when the dialog opened: another name by now is a conflict
  const [name] = useState(row.name);
  const [verb, setVerb] = useState(first);
  const [typed, setTyped] = useState("");
  const rule = VERB_RULES[verb];
  const lacks = rule.signers === "threshold" && row.group.threshold > 1;
  const send = useMutation({
    ...api.command.send.mutationOptions(),
    onSuccess: async ({ waiting }) => {
      tell.done(waiting ? waitsWords("The command", waiting) : "Signed and on its way. What came of it is shown here.");
      await client.invalidateQueries({ queryKey: api.command.list.pathKey() });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const minutes = Number(form.get("minutes"));
    const given = argumentsOf(verb, form, Date.now() + minutes * 60_000);
    send.mutate({ workstation: row.id, name, verb, arguments: given, minutes, reason: String(form.get("reason")) });
  };
  return (
    <Dialog open onClose={onClose} title={`Tell ${name} to do something`} width={520}>
      <form onSubmit={submit} className="grid gap-3">
        <Which verb={verb} verbs={verbs} onChoose={setVerb} />
        <Effect rule={rule} />
        <Arguments verb={verb} row={row} />
        <Within verb={verb} />
        <Why
          maxLength={300}
          placeholder={verb === "isolate" ? "it speaks to a stranger" : undefined}
          hint="Stands on the console’s own trail."
          fault={send.error?.message}
        />
        {rule.isDestructive && (
          <Input
            label={`Type ${name} to go on`}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
            spellCheck={false}
          />
        )}
        {lacks && (
          <p className="text-hold">
            ◐ In {row.group.name} this needs {row.group.threshold} signatures, and the console’s is one of them: it
            waits under Approvals until approvers have signed, and can no longer be begun after the time above.
          </p>
        )}
        <Ends onCancel={onClose}>
          <Button
            look={rule.isDestructive || verb === "isolate" ? "danger" : "main"}
            type="submit"
            disabled={send.isPending || (rule.isDestructive && typed !== name)}
          >
            {lacks ? "Ask for signatures" : "Sign and send"}
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}

type Choice<V extends Verb> = { verb: V; verbs: readonly V[]; onChoose: (verb: V) => void };

export function Which<V extends Verb>({ verb, verbs, onChoose }: Choice<V>) {
  const choose = (value: string) => onChoose(verbs.find((each) => each === value) ?? verb);
  return (
    <Select label="Command" value={verb} onChange={(event) => choose(event.target.value)} autoFocus>
      {verbs.map((each) => (
        <option key={each} value={each}>
          {VERB_WORDS[each]}
        </option>
      ))}
    </Select>
  );
}

/** How long it stands, or may wait to be begun. */
export function Within({ verb }: { verb: Verb }) {
  const isLong = verb === "isolate";
  return (
    <Select
      key={isLong ? "long" : "within"}
      label={isLong ? "For" : "To be begun within"}
      name="minutes"
      defaultValue={SPAN_FIRST}
      hint={
        isLong
          ? "Sent until then: a workstation that is away is cut off when it comes back. A second isolation only lengthens."
          : "A workstation that comes back later does not begin it."
      }
    >
      {SPANS.map(([minutes, words]) => (
        <option key={minutes} value={minutes}>
          {words}
        </option>
      ))}
    </Select>
  );
}

export function Effect({ rule }: { rule: VerbRule }) {
  return (
    <ul className="grid list-disc gap-1 pl-4 text-ink-2">
      <li>{rule.words}</li>
      <li>{rule.inverse ? `Taken back by: ${VERB_WORDS[rule.inverse].toLowerCase()}.` : undoWords(rule)}</li>
    </ul>
  );
}

const undoWords = (rule: VerbRule) => (rule.isDestructive ? "Nothing takes it back." : "It changes nothing.");

function Arguments({ verb, row }: { verb: Verb; row: WorkstationRow }) {
  const guests = row.reported?.guests ?? [];
  if (verb === "pause" || verb === "resume" || verb === "destroy-guest" || verb === "start-guest")
    return guests.length > 0 ? (
      <Select label="Guest" name="guest">
        {guests.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </Select>
    ) : (
      <Input label="Guest" name="guest" required hint="The workstation has reported no guest: give its id." />
    );
  const volume = verb === "wipe" ? foundVolume(row.reported) : undefined;
  if (volume)
    return (
      <Select
        label="Volume"
        name="volume"
        hint="What it reported last, by the id in its LUKS header: a volume made later in its place is never reached. Its sealed recovery keys here are destroyed as well."
      >
        <option value={volume.uuid}>
          {volume.uuid} ({volume.device})
        </option>
      </Select>
    );
  if (verb === "wipe")
    return (
      <Input
        label="Volume"
        name="volume"
        required
        className="mono"
        placeholder="01234567-89ab-cdef-0123-456789abcdef"
        spellCheck={false}
        hint={
          <>
            It reported no volume: give the id in its LUKS header. Its{" "}
            <Link className="underline" href={`/explore?workstation=${row.id}&kind=disk.state`}>
              disk records
            </Link>{" "}
            name what it had earlier.
          </>
        }
      />
    );
  return null;
}

function argumentsOf(verb: Verb, form: FormData, endMs: number): Record<string, string> {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  switch (verb) {
    case "isolate":
      return { until: new Date(endMs).toISOString() };
    case "pause":
    case "resume":
    case "destroy-guest":
    case "start-guest":
      return { guest: text("guest") };
    case "wipe":
      return { volume: text("volume").toLowerCase() };
    case "release":
    case "rescan":
    case "diagnostics":
      return {};
    default:
      return unreachable(verb);
  }
}
