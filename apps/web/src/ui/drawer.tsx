"use client";
/** What is known of one row, on the right: a title and tabs. Esc closes it. */
import { Tabs } from "radix-ui";
import type { ReactNode } from "react";
import { Key } from "./header.tsx";

export type Tab = { name: string; content: ReactNode };

type Props = {
  title: ReactNode;
  mark?: ReactNode;
  tabs: Tab[];
  onClose: () => void;
  tab: string;
  onTab: (name: string) => void;
};

export function Drawer({ title, mark, tabs, onClose, tab, onTab }: Props) {
  return (
    <aside
      aria-label="Details"
      data-details
      tabIndex={-1}
      className="focus-visible:-outline-offset-2 flex w-[400px] shrink-0 flex-col overflow-hidden border-l border-line bg-panel xl:w-[460px]"
    >
      <div className="flex items-start gap-2 px-[18px] pt-3.5">
        <span className="shrink-0">{mark}</span>
        <strong className="min-w-0 flex-1 font-semibold [overflow-wrap:anywhere]">{title}</strong>
        <span className="flex shrink-0 items-center gap-1 text-ink-3">
          <Key>j</Key>
          <Key>k</Key>
          <button type="button" onClick={onClose} aria-label="Close" className="ml-1 px-1 hover:text-ink">
            ×
          </button>
        </span>
      </div>
      <Tabs.Root value={tab} onValueChange={onTab} className="flex min-h-0 flex-1 flex-col">
        <Tabs.List className="mx-[18px] mt-2 flex gap-4 border-b border-line" aria-label="Views of this record">
          {tabs.map(({ name }) => (
            <Tabs.Trigger
              key={name}
              value={name}
              className="rounded-t-[3px] py-1 pb-[7px] text-ink-3 hover:text-ink data-[state=active]:font-medium data-[state=active]:text-ink data-[state=active]:shadow-[0_1.5px_0_var(--ink)]"
            >
              {name}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {tabs.map(({ name, content }) => (
          <Tabs.Content key={name} value={name} className="min-h-0 flex-1 overflow-auto px-[18px] py-3.5">
            {content}
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </aside>
  );
}
