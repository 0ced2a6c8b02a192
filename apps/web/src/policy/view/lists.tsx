"use client";
/** Ordered lists of the form: rules, one a line or one a card, added, moved and taken away. */
import type { Path } from "@sallyport/shared/policy/change.ts";
import { emptyRow, type Field } from "@sallyport/shared/policy/form.ts";
import { type ReactNode, useLayoutEffect, useRef } from "react";
import { Button } from "../../ui/button.tsx";
import { type FieldProps, FieldView } from "./fields.tsx";
import { usePlace } from "./place.ts";
import { wordsOf } from "./words.ts";

/** Longer lists are for the text: a form of ten thousand fields is none. */
const SHOWN_MAX = 100;
const BOX =
  "mono min-w-0 w-full rounded-[6px] border border-line-strong bg-panel px-2 py-1 text-ink focus-visible:outline-offset-0 aria-invalid:border-block";

const lowered = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

type ListProps = {
  path: Path;
  fallback: unknown;
  /** What an added one begins as. */
  added: unknown;
  within?: string | undefined;
  item: (name: string, path: Path, fault: string | undefined, buttons: ReactNode) => ReactNode;
};

function List({ path, fallback, added, within, item }: ListProps) {
  const { written, fault, faultOf, onEdit } = usePlace(path);
  const box = useRef<HTMLFieldSetElement>(null);
  const { label, hint, one = label } = wordsOf(path);
  const thing = `${/^[aeiou]/i.test(one) ? "an" : "a"} ${lowered(one)}`;
  const base = within ? `${within}, ${one.toLowerCase()}` : one;
  const list = Array.isArray(written) ? written : Array.isArray(fallback) ? fallback : [];
  const wanted = useRef<string>(undefined);
  const focus = (mark: string) => {
    wanted.current = mark;
  };
  /** The keyboard stays with what it moved, or with what it added: before the next key is heard, however fast it comes. */
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const found = [...(box.current?.querySelectorAll<HTMLElement>("[data-at]") ?? [])].find(
      (each) => each.dataset.at === wanted.current,
    );
    const target = found?.matches("li") ? found.querySelector<HTMLElement>("input, select") : found;
    target?.focus();
    wanted.current = undefined;
  });
  const move = (from: number, to: number) => {
    onEdit({ op: "move", path, from, to });
    focus(to < from ? (to === 0 ? "0 down" : `${to} up`) : to === list.length - 1 ? `${to} up` : `${to} down`);
  };
  const buttons = (at: number, name: string) => {
    const lower = lowered(name);
    return (
      <span className="flex shrink-0">
        <Button
          look="bare"
          data-at={`${at} up`}
          className="px-1.5"
          disabled={at === 0}
          aria-label={`Move ${lower} up`}
          onClick={() => move(at, at - 1)}
        >
          ↑
        </Button>
        <Button
          look="bare"
          data-at={`${at} down`}
          className="px-1.5"
          disabled={at === list.length - 1}
          aria-label={`Move ${lower} down`}
          onClick={() => move(at, at + 1)}
        >
          ↓
        </Button>
        <Button
          look="bare"
          className="px-1.5"
          aria-label={`Remove ${lower}`}
          onClick={() => {
            onEdit({ op: "remove", path, at });
            focus("add");
          }}
        >
          ×
        </Button>
      </span>
    );
  };
  return (
    <fieldset ref={box} className="col-span-full grid min-w-0 gap-1.5">
      <legend className="mb-1 text-ink-2">
        {label}
        {hint && <span className="ml-2 text-xs text-ink-3">{hint}</span>}
      </legend>
      {list.length === 0 ? (
        <p className="text-ink-3">None.</p>
      ) : (
        <ol className="grid gap-1.5" aria-label={within ? `${within}: ${label}` : label}>
          {list.slice(0, SHOWN_MAX).map((_, at) => {
            const name = `${base} ${at + 1}`;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a rule's place is what it is
              <li key={at} data-at={`${at}`} className="min-w-0">
                {item(name, [...path, at], faultOf([at]), buttons(at, name))}
              </li>
            );
          })}
        </ol>
      )}
      {list.length > SHOWN_MAX && (
        <p className="text-ink-2">
          The first {SHOWN_MAX} of {list.length}; the others are in the text.
        </p>
      )}
      {fault && (
        <p role="alert" className="text-xs text-block">
          ■ {fault}
        </p>
      )}
      {list.length < SHOWN_MAX && (
        <Button
          className="justify-self-start"
          data-at="add"
          onClick={() => {
            onEdit({ op: "insert", path, at: list.length, value: added });
            focus(`${list.length}`);
          }}
        >
          Add {thing}
          {within && <span className="sr-only"> to {lowered(within)}</span>}
        </Button>
      )}
    </fieldset>
  );
}

export function Lines({ field, path }: FieldProps<"lines">) {
  return (
    <List
      path={path}
      fallback={field.fallback}
      added=""
      item={(name, at, fault, buttons) => (
        <Line name={name} path={at} fallback={field.fallback} fault={fault} buttons={buttons} />
      )}
    />
  );
}

type LineProps = { name: string; path: Path; fallback: unknown; fault: string | undefined; buttons: ReactNode };

function Line({ name, path, fallback, fault, buttons }: LineProps) {
  const list = usePlace(path.slice(0, -1));
  const at = Number(path.at(-1));
  const lines = Array.isArray(list.written) ? list.written : (fallback as unknown[]);
  const change = (text: string) => {
    if (Array.isArray(list.written)) list.onEdit({ op: "set", path, value: text });
    else list.set(lines.with(at, text)); // the default, written down with this change
  };
  return (
    <>
      <div className="grid grid-cols-[20px_minmax(0,1fr)_auto] items-center gap-1.5">
        <span className="mono text-right text-ink-3">{at + 1}.</span>
        <input
          className={BOX}
          aria-label={name}
          aria-invalid={fault ? true : undefined}
          spellCheck={false}
          value={String(lines[at] ?? "")}
          onChange={({ target }) => change(target.value)}
        />
        {buttons}
      </div>
      {fault && (
        <p role="alert" className="pl-[26px] text-xs text-block">
          ■ {fault}
        </p>
      )}
    </>
  );
}

export function Rows({ field, path, within }: FieldProps<"rows">) {
  return (
    <List
      path={path}
      fallback={field.fallback}
      added={emptyRow(field.fields)}
      within={within}
      item={(name, at, fault, buttons) => (
        <div className="rounded-[8px] border border-line px-2.5 pt-1 pb-2.5">
          <div className="flex items-center justify-between">
            <span className="text-ink-2">{within ? name.slice(within.length + 2) : name}</span>
            {buttons}
          </div>
          <Row fields={field.fields} path={at} name={name} />
          {fault && (
            <p role="alert" className="text-xs text-block">
              ■ {fault}
            </p>
          )}
        </div>
      )}
    />
  );
}

const Row = ({ fields, path, name }: { fields: Field[]; path: Path; name: string }) => (
  <div className="grid grid-cols-[repeat(auto-fill,minmax(116px,1fr))] items-start gap-x-2.5 gap-y-2">
    {fields.map((field) => (
      <FieldView key={field.key} field={field} path={[...path, field.key]} within={name} />
    ))}
  </div>
);
