"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import type { Edit } from "@sallyport/shared/policy/change.ts";
/** A policy as a form and as text, the same document: checked at each key stroke by the same rules that the console and the
 *  agents use. */
import { cutOffWords } from "@sallyport/shared/policy/cut-off.ts";
import { diffPolicy } from "@sallyport/shared/policy/diff.ts";
import { type Fault, readPolicy } from "@sallyport/shared/policy/document.ts";
import { editPolicy, rawPolicy } from "@sallyport/shared/policy/edit.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import { useMemo, useRef, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { Replay } from "../../replay/view/replay.tsx";
import { Start } from "../../rollout/view/start.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Mark } from "../../ui/mark.tsx";
import type { GroupRow, PublishedText } from "../store.ts";
import { Changes } from "./changes.tsx";
import { Publish } from "./publish.tsx";
import { SideBySide } from "./side-by-side.tsx";
import { ManagedWords } from "./source.tsx";
import type { TextPlace } from "./text.tsx";

/** `wanted` is what the whole group should have; `latest` the newest order, also of one that is being rolled out; `moving`
 *  that of the rollout that is under way. */
type Props = {
  group: GroupRow;
  wanted: PublishedText | undefined;
  latest: number;
  moving: number | undefined;
  mayWrite: boolean;
};

const STRICT = Policy.parse({});

export function Editor({ group, wanted, latest, moving, mayWrite: mayPolicy }: Props) {
  const start = wanted?.source ?? POLICY_TEMPLATE;
  const mayWrite = mayPolicy && group.repository === null && !group.isRetired;
  const [edited, setText] = useState(start);
  const text = mayWrite ? edited : start; // what cannot be written here follows what is in force
  const [basedOn, setBasedOn] = useState(latest);
  const [stuck, setStuck] = useState<string>();
  const [replaying, setReplaying] = useState(false);
  const [publishing, setPublishing] = useState<"to all" | "in waves">();
  const place = useRef<TextPlace>(null);
  const read = useMemo(() => readPolicy(text), [text]);
  const raw = useMemo(() => rawPolicy(text), [text]);
  const { changes, cutOff } = useMemo(() => {
    if (!read.ok) return { changes: [], cutOff: [] };
    const inForce = wanted ? readPolicy(wanted.source) : undefined;
    const before = inForce?.ok ? inForce.policy : STRICT;
    return { changes: diffPolicy(before, read.policy), cutOff: cutOffWords(before, read.policy) };
  }, [read, wanted]);
  const faults: Fault[] = useMemo(
    () => (read.ok ? [] : [...read.faults].sort((a, b) => a.line - b.line || a.column - b.column)),
    [read],
  );
  const touched = text !== start;
  const behind = mayWrite && latest !== basedOn;
  const mayReplay = useMay("content");

  const mayPublish = read.ok && (wanted === undefined || touched);
  const against = wanted ? `r${wanted.order}` : "the strict defaults";

  const write = (next: string) => {
    setStuck(undefined);
    setText(next);
  };
  const edit = (asked: Edit) => {
    const done = editPolicy(text, asked);
    if (done.ok) write(done.value);
    else setStuck(done.error);
  };
  const takeNewest = () => {
    write(start);
    setBasedOn(latest);
  };

  return (
    <>
      <Card
        title={mayPolicy ? "Policy" : "Policy (your role reads it)"}
        aside={
          <span className="flex flex-wrap items-center justify-end gap-2">
            {read.ok ? <Mark tone="allow">valid</Mark> : <Mark tone="block">{plural(faults.length, "fault")}</Mark>}
            {mayWrite && touched && <Button onClick={takeNewest}>Discard</Button>}
            {mayReplay && (
              <Button aria-expanded={replaying} onClick={() => setReplaying(!replaying)}>
                Replay…
              </Button>
            )}
            {mayWrite && (
              <>
                <Button disabled={!mayPublish} onClick={() => setPublishing("to all")}>
                  Publish…
                </Button>
                <Button look="main" disabled={!mayPublish} onClick={() => setPublishing("in waves")}>
                  Roll out…
                </Button>
              </>
            )}
          </span>
        }
      >
        <ManagedWords group={group} />
        {behind && (
          <p role="alert" className="mb-2 text-hold">
            ◐ r{latest} was published while you wrote.{" "}
            <button type="button" className="underline" onClick={takeNewest}>
              Take it
            </button>{" "}
            (your text goes), or{" "}
            <button type="button" className="underline" onClick={() => setBasedOn(latest)}>
              publish yours over it
            </button>
            .
          </p>
        )}
        {stuck && (
          <p role="alert" className="mb-2 text-block">
            ■ {stuck}
          </p>
        )}
        <SideBySide
          text={text}
          raw={raw}
          faults={faults}
          isReadOnly={!mayWrite}
          onText={write}
          onEdit={edit}
          place={place}
        />
        <section aria-label="What it changes" className="mt-3 max-h-[280px] min-w-0 overflow-auto">
          {read.ok ? (
            <Changes changes={changes} against={against} cutOff={cutOff} />
          ) : (
            <Faults faults={faults} onPick={(fault) => place.current?.goTo(fault)} />
          )}
        </section>
        {publishing === "in waves" && read.ok && (
          <Start group={group} source={text} basedOn={basedOn} onClose={() => setPublishing(undefined)}>
            <Changes changes={changes} against={against} cutOff={cutOff} />
          </Start>
        )}
        {publishing === "to all" && read.ok && (
          <Publish
            ends={moving}
            group={group}
            source={text}
            basedOn={basedOn}
            changes={changes}
            cutOff={cutOff}
            against={against}
            onClose={() => setPublishing(undefined)}
            onDone={(order) => {
              setPublishing(undefined);
              setBasedOn(order);
            }}
          />
        )}
      </Card>
      {replaying && <Replay group={group} candidate={read.ok ? { source: text } : undefined} named="this text" />}
    </>
  );
}

function Faults({ faults, onPick }: { faults: Fault[]; onPick: (fault: Fault) => void }) {
  return (
    <ul className="grid gap-2" aria-label="Faults">
      {faults.map((fault) => (
        <li key={`${fault.line}:${fault.column}:${fault.path}:${fault.message}`}>
          <button type="button" onClick={() => onPick(fault)} className="text-left hover:underline">
            <span className="mono text-block">
              ■ {fault.line}:{fault.column}
            </span>{" "}
            <span className="mono">{fault.path}</span>
            <br />
            <span className="text-ink-2">{fault.message}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
