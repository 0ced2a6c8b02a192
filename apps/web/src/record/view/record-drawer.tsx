"use client";
import { useQuery } from "@tanstack/react-query";
import { ProofTab } from "../../trail/view/proof-tab.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Drawer } from "../../ui/drawer.tsx";
import { Fault, Waiting } from "../../ui/empty.tsx";
import { Mark } from "../../ui/mark.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Field } from "../filter.ts";
import type { RecordRow } from "../store.ts";
import { RawTab } from "./raw-tab.tsx";
import { RecordTab } from "./record-tab.tsx";
import { StoryTab } from "./story-tab.tsx";
import { severityTone } from "./tone.ts";

type Props = {
  trail: number;
  index: number;
  row?: RecordRow;
  tab: string;
  onTab: (name: string) => void;
  onClose: () => void;
  onFilter: (field: Field, value: string) => void;
  onOpen: (row: RecordRow) => void;
};

export function RecordDrawer({ trail, index, row, tab, onTab, onClose, onFilter, onOpen }: Props) {
  const api = useApi();
  const full = useQuery(api.record.get.queryOptions({ trail, index }));
  const record = full.data;
  const shown = record ?? row;
  const pending = full.isError ? (
    <Fault message={full.error.message} again={() => void full.refetch()} />
  ) : (
    <Waiting inside />
  );
  return (
    <Drawer
      tab={tab}
      onTab={onTab}
      onClose={onClose}
      mark={shown && <Mark tone={severityTone(shown.severity)}>{shown.severity}</Mark>}
      title={
        shown ? (
          shown.text === null ? (
            `${shown.kind} ${shown.index}`
          ) : (
            <Untrusted text={shown.text.slice(0, 240)} />
          )
        ) : (
          `record ${index}`
        )
      }
      tabs={[
        { name: "Story", content: record ? <StoryTab record={record} onOpen={onOpen} onFilter={onFilter} /> : pending },
        { name: "Record", content: record ? <RecordTab record={record} onFilter={onFilter} /> : pending },
        { name: "Raw", content: record ? <RawTab record={record} /> : pending },
        { name: "Proof", content: record ? <ProofTab record={record} /> : pending },
      ]}
    />
  );
}
