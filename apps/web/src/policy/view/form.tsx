"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** The policy as a form: its sections and settings as the schema has them, over the same text. Each change is an edit of
 *  the text; what the form shows is read from it. */
import { type Edit, valueAt } from "@sallyport/shared/policy/change.ts";
import type { Fault } from "@sallyport/shared/policy/document.ts";
import { policyForm } from "@sallyport/shared/policy/form.ts";
import type { SectionName } from "@sallyport/shared/policy/policy.ts";
import { Tabs } from "radix-ui";
import { useMemo, useState } from "react";
import { FieldView } from "./fields.tsx";
import { FormContext } from "./place.ts";

const FORM = policyForm();

type Props = { value: unknown; faults: readonly Fault[]; isReadOnly: boolean; onEdit: (edit: Edit) => void };

export function Form({ value, faults, isReadOnly, onEdit }: Props) {
  const [section, setSection] = useState<SectionName>("usb");
  const shown = useMemo(() => {
    const all = new Map<string, string>();
    for (const { path, line, message } of faults) if (!all.has(path)) all.set(path, `line ${line}: ${message}`);
    return { value, faults: all, onEdit };
  }, [value, faults, onEdit]);
  return (
    <FormContext value={shown}>
      <Tabs.Root value={section} onValueChange={(name) => setSection(name as SectionName)}>
        <Tabs.List
          aria-label="Sections"
          className="sticky top-0 z-10 flex flex-wrap gap-x-4 border-b border-line bg-panel"
        >
          {FORM.map(({ name }) => (
            <Tabs.Trigger
              key={name}
              value={name}
              className="-mb-px border-b-2 border-transparent px-0.5 py-1.5 focus-visible:-outline-offset-2 text-ink-2 data-[state=active]:border-ink data-[state=active]:text-ink"
            >
              {name}
              <SectionMark name={name} value={value} faults={faults} />
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {FORM.map(({ name, fields }) => (
          <Tabs.Content key={name} value={name} className="pt-3 outline-none">
            <fieldset
              disabled={isReadOnly}
              className="grid min-w-0 grid-cols-2 items-start gap-x-3 gap-y-3 disabled:opacity-75"
            >
              <legend className="sr-only">{name}</legend>
              {fields.map((field) => (
                <FieldView key={field.key} field={field} path={[name, field.key]} />
              ))}
            </fieldset>
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </FormContext>
  );
}

/** What a section that is not shown would say: that it only records, that something is wrong in it. */
function SectionMark({ name, value, faults }: { name: SectionName; value: unknown; faults: readonly Fault[] }) {
  const wrong = faults.filter(({ path }) => path === name || path.startsWith(`${name}.`)).length;
  if (wrong > 0)
    return (
      <>
        <span aria-hidden className="ml-1 font-mono text-xs text-block" title={plural(wrong, "fault")}>
          ■{wrong}
        </span>
        <span className="sr-only"> {plural(wrong, "fault")}</span>
      </>
    );
  return valueAt(value, [name, "mode"]) === "audit" ? <span className="ml-1 text-xs text-hold">audit</span> : null;
}
