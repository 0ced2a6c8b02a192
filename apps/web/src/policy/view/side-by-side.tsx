"use client";
import type { Edit } from "@sallyport/shared/policy/change.ts";
/** The form beside the text where there is room, else one of them at a time. */
import type { Fault } from "@sallyport/shared/policy/document.ts";
import { Tabs } from "radix-ui";
import { type CSSProperties, type Ref, useImperativeHandle, useRef, useState } from "react";
import { Form } from "./form.tsx";
import { heightOf, PolicyText, type TextPlace } from "./text.tsx";

type Props = {
  text: string;
  /** Nothing where the text cannot be read at all. */
  raw: { value: unknown } | undefined;
  faults: readonly Fault[];
  isReadOnly: boolean;
  onText: (text: string) => void;
  onEdit: (edit: Edit) => void;
  place: Ref<TextPlace>;
};

const TAB =
  "-mb-px border-b-2 border-transparent px-0.5 py-1 text-ink-2 data-[state=active]:border-ink data-[state=active]:text-ink";
/** Side by side both are there, whichever tab was chosen below that width. */
const HALF = "min-w-0 outline-none data-[state=inactive]:max-xl:hidden";

export function SideBySide({ text, raw, faults, isReadOnly, onText, onEdit, place }: Props) {
  const [tab, setTab] = useState("form");
  const inner = useRef<TextPlace>(null);
  useImperativeHandle(place, () => ({
    goTo: (fault) => {
      setTab("text");
      requestAnimationFrame(() => inner.current?.goTo(fault));
    },
  }));
  const height = heightOf(text.split("\n").length);
  return (
    <Tabs.Root value={tab} onValueChange={setTab}>
      <Tabs.List aria-label="Form or text" className="mb-3 flex gap-4 border-b border-line xl:hidden">
        <Tabs.Trigger value="form" className={TAB}>
          Form
        </Tabs.Trigger>
        <Tabs.Trigger value="text" className={TAB}>
          Text
        </Tabs.Trigger>
      </Tabs.List>
      <div className="grid gap-4 xl:grid-cols-2">
        <Tabs.Content value="form" forceMount tabIndex={-1} className={HALF}>
          <section
            aria-label="Policy form"
            className="xl:max-h-(--editor-height) xl:-ml-1 xl:overflow-y-auto xl:pt-0.5 xl:pr-2 xl:pl-1"
            style={{ "--editor-height": `${height + 2}px` } as CSSProperties}
          >
            {raw ? (
              <Form value={raw.value} faults={faults} isReadOnly={isReadOnly} onEdit={onEdit} />
            ) : (
              <p className="text-ink-2">
                The text cannot be read{faults[0] && <> from line {faults[0].line} on</>}: put it right there, and the
                form follows.
              </p>
            )}
          </section>
        </Tabs.Content>
        <Tabs.Content value="text" forceMount tabIndex={-1} className={HALF}>
          <PolicyText text={text} faults={faults} isReadOnly={isReadOnly} onChange={onText} place={inner} />
        </Tabs.Content>
      </div>
    </Tabs.Root>
  );
}
