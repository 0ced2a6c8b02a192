"use client";
/** The live tail in a page: frames as they come, merged, each line once, a bounded number of them. */
import { useSubscription } from "@trpc/tanstack-react-query";
import { useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import type { Filter } from "../filter.ts";
import type { RecordRow } from "../store.ts";
import type { Frame } from "../tail.ts";
import { mergeLines } from "./lines.ts";

export type Tail = {
  /** Newest first; undefined until the first frame. */
  rows: RecordRow[] | undefined;
  /** Lines were left out because they came faster than they could be shown, or while the connection was away. */
  skipped: boolean;
  state: "off" | "connecting" | "live" | "ended";
  fault: string | undefined;
  again: () => void;
};

export function useTail(filter: Filter, live: boolean): Tail {
  const api = useApi();
  const about = JSON.stringify(filter);
  const [kept, setKept] = useState<{ about: string; rows: RecordRow[]; skipped: boolean }>();
  const onData = ({ data }: { data: Frame }) =>
    setKept((before) => {
      const same = before?.about === about ? before : undefined;
      return {
        about,
        rows: mergeLines(same?.rows ?? [], data.rows),
        skipped: data.skipped || (same?.skipped ?? false),
      };
    });
  const found = useSubscription(api.record.tail.subscriptionOptions({ filter }, { enabled: live, onData }));
  const same = kept?.about === about ? kept : undefined;
  return {
    rows: same?.rows,
    skipped: same?.skipped ?? false,
    state: !live ? "off" : found.status === "error" ? "ended" : found.status === "pending" ? "live" : "connecting",
    fault: found.status === "error" ? found.error.message : undefined,
    again: found.reset,
  };
}
