"use client";
/** A policy as text, checked at each key stroke by the same rules that the console and the agents use. */
import { diffPolicy } from "@sallyport/shared/policy/diff.ts";
import { type Fault, readPolicy } from "@sallyport/shared/policy/document.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import { useMemo, useRef, useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { Replay } from "../../replay/view/replay.tsx";
import { Start } from "../../rollout/view/start.tsx";
import { Button } from "../../ui/button.tsx";
import { plural } from "../../ui/bytes.ts";
import { Card } from "../../ui/card.tsx";
import { cx } from "../../ui/class.ts";
import { Mark } from "../../ui/mark.tsx";
import type { GroupRow, PublishedText } from "../store.ts";
import { Changes } from "./changes.tsx";
import { Publish } from "./publish.tsx";

const LINE_PX = 18;
const ROWS_MIN = 14;
const ROWS_MAX = 30;

/** `wanted` is what the whole group should have; `latest` the newest order, also of one that is being rolled out. */
type Props = { group: GroupRow; wanted: PublishedText | undefined; latest: number; mayWrite: boolean };

export function Editor({ group, wanted, latest, mayWrite }: Props) {
  const [text, setText] = useState(wanted?.source ?? POLICY_TEMPLATE);
  const [basedOn, setBasedOn] = useState(latest);
  const [replaying, setReplaying] = useState(false);
  const [publishing, setPublishing] = useState<"to all" | "in waves">();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const read = useMemo(() => readPolicy(text), [text]);
  const changes = useMemo(() => {
    if (!read.ok) return [];
    const before = wanted ? readPolicy(wanted.source) : undefined;
    return diffPolicy(before?.ok ? before.policy : Policy.parse({}), read.policy);
  }, [read, wanted]);
  const faults: Fault[] = read.ok ? [] : read.faults;
  const wrong = new Set(faults.map(({ line }) => line));
  const lines = text.split("\n").length;
  const rows = Math.min(ROWS_MAX, Math.max(ROWS_MIN, lines + 1));
  const touched = text !== (wanted?.source ?? POLICY_TEMPLATE);
  const behind = latest !== basedOn;
  const mayReplay = useMay("content");

  const mayPublish = read.ok && (wanted === undefined || touched);
  const against = wanted ? `r${wanted.order}` : "the strict defaults";

  const goTo = (fault: Fault) => {
    const at =
      text
        .split("\n")
        .slice(0, fault.line - 1)
        .join("\n").length +
      (fault.line > 1 ? 1 : 0) +
      fault.column -
      1;
    area.current?.focus();
    area.current?.setSelectionRange(at, at);
  };
  const takeNewest = () => {
    setText(wanted?.source ?? POLICY_TEMPLATE);
    setBasedOn(latest);
  };

  return (
    <>
      <Card
        title={mayWrite ? "Policy, as YAML or JSON" : "Policy (your role reads it)"}
        aside={
          <span className="flex items-center gap-2">
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
        <div className="grid gap-4 lg:grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)]">
          <div className="flex overflow-hidden rounded-[8px] border border-line-strong bg-sunk focus-within:outline-2 focus-within:outline-focus">
            <div
              ref={gutter}
              aria-hidden
              className="mono overflow-hidden border-r border-line py-2 text-right text-ink-3 select-none"
              style={{ height: rows * LINE_PX + 16, lineHeight: `${LINE_PX}px` }}
            >
              {Array.from({ length: lines }, (_, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
                <div key={at} className={cx("pr-2 pl-3", wrong.has(at + 1) && "bg-block-bg text-block")}>
                  {wrong.has(at + 1) ? "■ " : ""}
                  {at + 1}
                </div>
              ))}
            </div>
            <textarea
              ref={area}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onScroll={(event) => {
                if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
              }}
              readOnly={!mayWrite}
              spellCheck={false}
              wrap="off"
              aria-label="Policy text"
              aria-invalid={!read.ok}
              className="mono min-w-0 flex-1 resize-none bg-transparent px-3 py-2 outline-none"
              style={{ height: rows * LINE_PX + 16, lineHeight: `${LINE_PX}px` }}
            />
          </div>
          <div className="min-w-0 overflow-auto" style={{ maxHeight: rows * LINE_PX + 18 }}>
            {read.ok ? <Changes changes={changes} against={against} /> : <Faults faults={faults} onPick={goTo} />}
          </div>
        </div>
        {publishing === "in waves" && read.ok && (
          <Start group={group} source={text} basedOn={basedOn} onClose={() => setPublishing(undefined)}>
            <Changes changes={changes} against={against} />
          </Start>
        )}
        {publishing === "to all" && read.ok && (
          <Publish
            group={group}
            source={text}
            basedOn={basedOn}
            changes={changes}
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
