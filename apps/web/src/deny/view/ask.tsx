"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** Blocking something everywhere: what it is, for whom, how long and why are said before the console signs it. */
import { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readDenied } from "@sallyport/shared/policy/deny-text.ts";
import { deniedWords, OVERLAY_HOURS_DEFAULT } from "@sallyport/shared/policy/overlay.ts";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Select, Why } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";

const SPANS: readonly [number, string][] = [
  [1, "an hour"],
  [8, "8 hours"],
  [OVERLAY_HOURS_DEFAULT, "a day"],
  [3 * 24, "3 days"],
  [7 * 24, "7 days"],
  [30 * 24, "30 days, the longest"],
];
const ONE = "workstation";

type Props = { first?: string; onClose: () => void };

export function AskDeny({ first = "", onClose }: Props) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  const [text, setText] = useState(first);
  const [whose, setWhose] = useState("fleet");
  const [name, setName] = useState("");
  const groups = useQuery(api.policy.groups.queryOptions()).data ?? [];
  const counts = useQuery(api.overview.counts.queryOptions()).data;
  const names = useQuery({
    ...api.workstation.names.queryOptions({ typed: name.slice(0, 64) }),
    enabled: whose === ONE,
  });
  const read = readDenied(text);
  const station = names.data?.find((each) => each.name === name);
  const add = useMutation({
    ...api.deny.add.mutationOptions(),
    onSuccess: async ({ words, whose }) => {
      tell.done(`${words} is blocked on ${whose}. How far it has come is shown under Blocked.`);
      await client.invalidateQueries({ queryKey: api.deny.list.pathKey() });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const audience =
      whose === "fleet"
        ? { fleet: true as const }
        : whose === ONE
          ? { workstation: WorkstationId.parse(station?.id) }
          : { group: GroupId.parse(whose) };
    add.mutate({ what: text, audience, hours: Number(form.get("hours")), reason: String(form.get("reason")) });
  };
  const wanting = text !== "" && !read.ok ? read.error : undefined;
  const unnamed = whose === ONE && !station;
  return (
    <Dialog open onClose={onClose} title="Block this everywhere" width={560}>
      <form onSubmit={submit} className="grid gap-3">
        <Input
          label="What"
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="mono"
          spellCheck={false}
          autoComplete="off"
          autoFocus={first === ""}
          required
          placeholder="sha256, block id 0951:1666 serial …, 203.0.113.7, bad.example:443"
          fault={wanting}
          hint={
            read.ok
              ? EFFECT[read.value.kind](deniedWords(read.value))
              : "A file’s or an image’s sha256, a device rule in USBGuard’s language, or an address, a prefix or a name."
          }
        />
        <Select label="For" value={whose} onChange={(event) => setWhose(event.target.value)}>
          <option value="fleet">
            the whole fleet{counts ? `, ${plural(counts.workstations, "workstation")}` : ""}
          </option>
          {groups.map(({ id, name }) => (
            <option key={id} value={id}>
              group {name}
            </option>
          ))}
          <option value={ONE}>one workstation…</option>
        </Select>
        {whose === ONE && (
          <>
            <Input
              label="Workstation"
              value={name}
              onChange={(event) => setName(event.target.value)}
              list="deny-names"
              autoComplete="off"
              required
              fault={unnamed && name !== "" && names.isSuccess ? "No workstation has this name." : undefined}
            />
            <datalist id="deny-names">
              {names.data?.map((each) => (
                <option key={each.id} value={each.name} />
              ))}
            </datalist>
          </>
        )}
        <Select label="Ends by itself after" name="hours" defaultValue={OVERLAY_HOURS_DEFAULT}>
          {SPANS.map(([hours, words]) => (
            <option key={hours} value={hours}>
              {words}
            </option>
          ))}
        </Select>
        <Why
          maxLength={200}
          hint="Stands on the console’s own trail, and on each workstation’s."
          fault={add.error?.message}
        />
        <ul className="grid list-disc gap-1 pl-4 text-ink-2">
          <li>
            It can only block, before every rule, over exceptions and in audit mode; the console’s key alone signs it.
          </li>
          <li>Connected workstations have it within seconds, others when they return. Lift it under Blocked.</li>
        </ul>
        <Ends onCancel={onClose}>
          <Button look="danger" type="submit" disabled={!read.ok || unnamed || add.isPending}>
            Sign and block
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}

const EFFECT = {
  file: () => "A stick that holds this content is refused, and taken back where a guest has it.",
  device: (words: string) => `Never read, never handed over, and taken back where a guest has it: ${words}`,
  address: (words: string) => `No guest’s packet to or from it passes, running connections included: ${words}`,
} as const;
