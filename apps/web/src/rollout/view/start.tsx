"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** From an edited policy to a rollout: waves, guards, and who would be in which wave, before anything is signed. */
import { DEFAULT_WAVES, type Outcome, Plan } from "@sallyport/shared/rollout/plan.ts";
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type FormEvent, type ReactNode, useMemo, useState } from "react";
import { waitsWords } from "../../approval/view/words.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Input, Select } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";

const MINUTE_SECONDS = 60;
const WAVES_SHOWN_MAX = 8;

type WaveForm = { by: "label" | "percent" | "all"; value: string; soakMinutes: string };
type Props = {
  group: { id: string; name: string };
  source: string;
  basedOn: number;
  /** The changes in words, as the page that opens this shows them. */
  children: ReactNode;
  onClose: () => void;
};

const FIRST: WaveForm[] = DEFAULT_WAVES.map(({ percent, soakSeconds = 600 }) => ({
  by: percent === undefined ? "all" : "percent",
  value: String(percent ?? ""),
  soakMinutes: String(soakSeconds / MINUTE_SECONDS),
}));

export function Start({ group, source, basedOn, children, onClose }: Props) {
  const api = useApi();
  const router = useRouter();
  const tell = useTell();
  const [id] = useState(() => crypto.randomUUID());
  const [waves, setWaves] = useState(FIRST);
  const [withinMinutes, setWithinMinutes] = useState("15");
  const [outcome, setOutcome] = useState<Outcome>("pause");
  const [perSecond, setPerSecond] = useState("20");
  const plan = useMemo(
    () => planOf(waves, withinMinutes, outcome, perSecond),
    [waves, withinMinutes, outcome, perSecond],
  );
  const shown = useQuery({
    ...api.rollout.preview.queryOptions({ id, group: group.id as never, plan, source }),
    placeholderData: keepPreviousData,
  });
  const start = useMutation(api.rollout.start.mutationOptions());
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const message = String(new FormData(event.currentTarget).get("message"));
    const whole = Plan.safeParse(plan);
    if (!whole.success) return; // its faults are shown
    const begun = await start
      .mutateAsync({ id, group: group.id as never, source, message, basedOn, plan: whole.data })
      .catch(() => undefined); // shown under the field
    if (!begun) return;
    tell.done(
      begun.waiting
        ? waitsWords(`The rollout of r${begun.order}`, begun.waiting)
        : `r${begun.order} is signed. Its first wave begins.`,
    );
    router.push(begun.waiting ? `/approvals/${begun.waiting.id}` : `/rollouts/${begun.id}`);
  };
  const change = (at: number, more: Partial<WaveForm>) =>
    setWaves((all) => all.map((wave, index) => (index === at ? { ...wave, ...more } : wave)));
  const faults = shown.data?.faults ?? [];
  return (
    <Dialog
      open
      onClose={onClose}
      width={680}
      title={`Roll out to ${group.name}`}
      description="Wave by wave, each watched before the next. What the group has now is signed again beforehand, so that an abort can go back to it."
    >
      <form onSubmit={submit} className="grid gap-3.5">
        <div className="max-h-[150px] overflow-auto rounded-[8px] border border-line bg-sunk px-3 py-2.5">
          {children}
        </div>
        <fieldset className="grid gap-2">
          <legend className="mb-1 text-ink-2">Waves</legend>
          {waves.map((wave, at) => (
            <WaveLine
              // biome-ignore lint/suspicious/noArrayIndexKey: a wave's number is what it is
              key={at}
              number={at + 1}
              wave={wave}
              isLast={at === waves.length - 1}
              labels={Object.keys(shown.data?.labels ?? {})}
              members={faults.length === 0 ? shown.data?.waves[at]?.workstations : undefined}
              onChange={(more) => change(at, more)}
              onRemove={() => setWaves((all) => all.filter((_, index) => index !== at))}
            />
          ))}
          {waves.length < WAVES_SHOWN_MAX && (
            <Button
              className="justify-self-start"
              onClick={() => setWaves((all) => [{ by: "label", value: "canary", soakMinutes: "30" }, ...all])}
            >
              Add a wave before
            </Button>
          )}
        </fieldset>
        <div className="grid grid-cols-3 gap-3">
          <Input
            label="Applied within, minutes"
            inputMode="decimal"
            value={withinMinutes}
            onChange={(event) => setWithinMinutes(event.target.value)}
          />
          <Select
            label="When a guard trips"
            value={outcome}
            onChange={(event) => setOutcome(event.target.value as Outcome)}
          >
            <option value="pause">pause</option>
            <option value="abort">abort, and go back</option>
          </Select>
          <Input
            label="Told in a second, at most"
            inputMode="numeric"
            value={perSecond}
            onChange={(event) => setPerSecond(event.target.value)}
          />
        </div>
        {faults.length > 0 && (
          <ul role="alert" className="grid gap-1 text-block">
            {faults.map((fault) => (
              <li key={fault}>■ {fault}</li>
            ))}
          </ul>
        )}
        <Input
          label="What changes, and why"
          name="message"
          required
          minLength={3}
          maxLength={500}
          autoFocus
          fault={start.error?.message ?? shown.error?.message}
        />
        <Ends onCancel={onClose}>
          <Button look="main" type="submit" disabled={start.isPending || faults.length > 0 || !shown.data}>
            Sign and begin
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}

type LineProps = {
  number: number;
  wave: WaveForm;
  isLast: boolean;
  labels: string[];
  members: number | undefined;
  onChange: (more: Partial<WaveForm>) => void;
  onRemove: () => void;
};

const BOX = "w-full rounded-[6px] border border-line-strong bg-panel px-2 py-1 text-ink";

function WaveLine({ number, wave, isLast, labels, members, onChange, onRemove }: LineProps) {
  return (
    <div className="grid grid-cols-[20px_116px_minmax(80px,1fr)_150px_116px_28px] items-center gap-2">
      <span className="mono text-ink-3">{number}.</span>
      {isLast ? (
        <span>all of the group</span>
      ) : (
        <select
          aria-label={`Wave ${number} picks by`}
          className={BOX}
          value={wave.by}
          onChange={(event) => onChange({ by: event.target.value as WaveForm["by"], value: "" })}
        >
          <option value="label">label</option>
          <option value="percent">percent</option>
        </select>
      )}
      {isLast ? (
        <span />
      ) : (
        <input
          aria-label={`Wave ${number} ${wave.by}`}
          className={BOX}
          value={wave.value}
          list={wave.by === "label" ? "rollout-labels" : undefined}
          placeholder={wave.by === "label" ? (labels[0] ?? "canary") : "10"}
          onChange={(event) => onChange({ value: event.target.value })}
        />
      )}
      <label className="flex items-center gap-1.5 text-ink-2">
        soaks
        <input
          aria-label={`Wave ${number} soaks, minutes`}
          inputMode="decimal"
          className={BOX}
          value={wave.soakMinutes}
          onChange={(event) => onChange({ soakMinutes: event.target.value })}
        />
        min
      </label>
      <span className="text-right text-ink-2">{members !== undefined && plural(members, "workstation")}</span>
      {isLast ? (
        <datalist id="rollout-labels">
          {labels.map((label) => (
            <option key={label} value={label} />
          ))}
        </datalist>
      ) : (
        <Button look="bare" aria-label={`Remove wave ${number}`} onClick={onRemove}>
          ×
        </Button>
      )}
    </div>
  );
}

/** What was typed, as a plan may be written; what is wrong with it is for the plan's own words. */
function planOf(waves: WaveForm[], withinMinutes: string, outcome: Outcome, perSecond: string): unknown {
  const seconds = (minutes: string) =>
    minutes.trim() === "" ? Number.NaN : Math.round(Number(minutes) * MINUTE_SECONDS);
  return {
    waves: waves.map(({ by, value, soakMinutes }) => ({
      ...(by === "all" ? { all: true } : by === "label" ? { label: value.trim() } : { percent: Number(value) }),
      soakSeconds: seconds(soakMinutes),
    })),
    guards: {
      applied: { withinSeconds: seconds(withinMinutes), outcome },
      failures: { outcome },
      refusals: { outcome },
      alerts: { outcome },
      silent: { outcome },
    },
    perSecond: Number(perSecond),
  };
}
