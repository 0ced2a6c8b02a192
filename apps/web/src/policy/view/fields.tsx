"use client";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
/** One setting of the form, by its kind. */
import type { Path } from "@sallyport/shared/policy/change.ts";
import type { Field } from "@sallyport/shared/policy/form.ts";
import { useState } from "react";
import { cx } from "../../ui/class.ts";
import { Input, Select, TextArea } from "../../ui/field.tsx";
import { Lines, Rows } from "./lists.tsx";
import { usePlace } from "./place.ts";
import { wordsOf } from "./words.ts";

/** `within` names the row that the setting is of: "Network rule 2". */
export type FieldProps<Kind extends Field["kind"] = Field["kind"]> = {
  field: Extract<Field, { kind: Kind }>;
  path: Path;
  within?: string | undefined;
};

export function FieldView({ field, path, within }: FieldProps) {
  switch (field.kind) {
    case "choice":
      return <Choice field={field} path={path} within={within} />;
    case "switch":
      return <Switch field={field} path={path} within={within} />;
    case "number":
      return <Number_ field={field} path={path} within={within} />;
    case "text":
      return <Text field={field} path={path} within={within} />;
    case "words":
      return field.choices ? (
        <Picks field={field} path={path} within={within} />
      ) : (
        <Words field={field} path={path} within={within} />
      );
    case "lines":
      return <Lines field={field} path={path} />;
    case "rows":
      return <Rows field={field} path={path} within={within} />;
    case "map":
      return <Map_ field={field} path={path} />;
    default:
      return unreachable(field);
  }
}

/** In a row a label alone would be said many times over. */
export function named(path: Path, within: string | undefined) {
  const { label, hint } = wordsOf(path);
  return { label, ...(hint && !within && { hint }), ...(within && { "aria-label": `${within}: ${label}` }) };
}

const isDefault = (fallback: unknown, choice: unknown): string => (fallback === choice ? " (default)" : "");

function Choice({ field, path, within }: FieldProps<"choice">) {
  const { written, fault, set } = usePlace(path);
  const value = written === undefined ? String(field.fallback ?? "") : String(written);
  const choices = field.choices.includes(value) || value === "" ? field.choices : [value, ...field.choices];
  return (
    <Select
      {...named(path, within)}
      fault={fault}
      value={value}
      onChange={(event) => set(event.target.value === "" ? undefined : event.target.value)}
    >
      {field.isOptional && <option value="">not set</option>}
      {choices.map((choice) => (
        <option key={choice} value={choice}>
          {choice}
          {!within && isDefault(field.fallback, choice)}
        </option>
      ))}
    </Select>
  );
}

function Switch({ field, path, within }: FieldProps<"switch">) {
  const { written, fault, set } = usePlace(path);
  const value = written ?? field.fallback;
  return (
    <Select
      {...named(path, within)}
      fault={fault}
      value={value === undefined ? "" : String(value)}
      onChange={({ target }) => set(target.value === "" ? undefined : target.value === "true")}
    >
      {field.isOptional && <option value="">not asked for</option>}
      <option value="true">yes{isDefault(field.fallback, true)}</option>
      <option value="false">no{isDefault(field.fallback, false)}</option>
    </Select>
  );
}

/** What is no number is kept as it was typed: the reader says what is wrong with it. */
const typedNumber = (text: string): unknown =>
  /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text.trim() === "" ? undefined : text;

/** The largest number that is one is no bound that anybody set. */
function rangeWords({ least, most }: { least?: number | undefined; most?: number | undefined }): string | undefined {
  if (least === undefined || most === undefined) return undefined;
  return most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
}

function Number_({ field, path, within }: FieldProps<"number">) {
  const { written, fault, set } = usePlace(path);
  const { hint, ...name } = named(path, within);
  const isAny = written === null;
  return (
    <div>
      <Input
        {...name}
        hint={hint ?? rangeWords(field)}
        fault={fault}
        inputMode="numeric"
        className="mono"
        placeholder={isAny ? "no limit" : field.fallback === undefined ? "not set" : `${field.fallback} (default)`}
        value={written === undefined || isAny ? "" : String(written)}
        onChange={(event) => set(typedNumber(event.target.value))}
        disabled={isAny}
      />
      {field.isNullable && (
        <label className="mt-1 flex items-center gap-1.5 text-xs text-ink-2">
          <input type="checkbox" checked={isAny} onChange={({ target }) => set(target.checked ? null : undefined)} />
          any age will do
        </label>
      )}
    </div>
  );
}

function Text({ field, path, within }: FieldProps<"text">) {
  const { written, fault, set } = usePlace(path);
  return (
    <Input
      {...named(path, within)}
      fault={fault}
      className="mono"
      spellCheck={false}
      value={written === undefined || written === null ? "" : String(written)}
      onChange={({ target }) => set(target.value === "" && field.isOptional ? undefined : target.value)}
    />
  );
}

const wordsIn = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== "");

/** As it is being typed, until the text says something else. */
function useDraft(value: string, isSame: (draft: string) => boolean): [string, (draft: string) => void] {
  const [draft, setDraft] = useState(value);
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    if (!isSame(draft)) setDraft(value);
  }
  return [draft, setDraft];
}

function Words({ path, within }: FieldProps<"words">) {
  const { written, fault, faultOf, set } = usePlace(path);
  const list = Array.isArray(written) ? written.map(String) : written === undefined ? [] : [String(written)];
  const separator = within ? ", " : "\n";
  const [draft, setDraft] = useDraft(
    list.join(separator),
    (now) => wordsIn(now).join(separator) === list.join(separator),
  );
  const wrong = list.flatMap((_, at) => faultOf([at]) ?? []);
  const change = (text: string) => {
    setDraft(text);
    const words = wordsIn(text);
    set(words.length === 0 ? undefined : words);
  };
  const { hint, ...name } = named(path, within);
  const shared = { ...name, fault: fault ?? wrong[0], value: draft, spellCheck: false };
  return within ? (
    <Input {...shared} className="mono" onChange={({ target }) => change(target.value)} />
  ) : (
    <div className="col-span-2">
      <TextArea
        {...shared}
        hint={hint ?? "one a line"}
        rows={Math.min(6, Math.max(1, list.length))}
        onChange={({ target }) => change(target.value)}
      />
    </div>
  );
}

function Picks({ field, path, within }: FieldProps<"words">) {
  const { written, fault, set } = usePlace(path);
  const picked = Array.isArray(written) ? written.map(String) : [];
  const { label } = wordsOf(path);
  const toggle = (choice: string) => {
    const next = (field.choices ?? []).filter((each) =>
      each === choice ? !picked.includes(each) : picked.includes(each),
    );
    set(next.length === 0 ? undefined : next);
  };
  return (
    <fieldset className="col-span-full">
      <legend className="text-ink-2">{label}</legend>
      <div className="flex flex-wrap gap-x-2.5">
        {field.choices?.map((choice) => (
          <label key={choice} className="flex items-center gap-1">
            <input
              type="checkbox"
              aria-label={within ? `${within}: ${choice}` : choice}
              checked={picked.includes(choice)}
              onChange={() => toggle(choice)}
            />
            {choice}
          </label>
        ))}
      </div>
      {fault && (
        <p role="alert" className="text-xs text-block">
          ■ {fault}
        </p>
      )}
    </fieldset>
  );
}

function Map_({ field, path }: FieldProps<"map">) {
  const { fault } = usePlace(path);
  const { label } = wordsOf(path);
  return (
    <fieldset className={cx("col-span-2 rounded-[8px] border border-line px-3 pt-1 pb-2.5")}>
      <legend className="px-1 text-ink-2">{label}</legend>
      <div className="grid grid-cols-2 items-start gap-3">
        {field.fields.map((each) => (
          <FieldView key={each.key} field={each} path={[...path, each.key]} within={label} />
        ))}
      </div>
      {fault && (
        <p role="alert" className="text-xs text-block">
          ■ {fault}
        </p>
      )}
    </fieldset>
  );
}
