"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { findingTone, verdictTone } from "../../record/view/tone.ts";
import { useApi } from "../../trpc/client.tsx";
import { searchOf, setAddress } from "../../ui/address.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { Empty, Listed } from "../../ui/empty.tsx";
import { Header, Key } from "../../ui/header.tsx";
import { Dot, Mark } from "../../ui/mark.tsx";
import { more } from "../../ui/more.tsx";
import { pace } from "../../ui/pace.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Clock, clockTrack } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { Only } from "../../workstation/view/only.tsx";
import { SORTS } from "../sort.ts";
import type { ScanRow } from "../store.ts";
import { Found } from "./found.tsx";

const EVERY_MS = 5_000;
const VERDICTS = ["block", "hold", "allow"] as const;
const HASH = /^([0-9a-f]{32}|[0-9a-f]{64})$/;

const columns = (clock: string): Column<ScanRow>[] => [
  {
    head: "Time",
    sort: { word: "received", down: true },
    track: clock,
    mono: true,
    cell: (row) => <Clock time={row.time} />,
  },
  { head: "Workstation", track: "minmax(84px, 110px)", mono: true, cell: (row) => row.workstation.name },
  {
    head: "Subject",
    track: "minmax(0, 1.4fr)",
    leads: true,
    cell: (row) => (
      <>
        <Untrusted text={row.source ?? "unnamed"} />
        <span className="text-ink-3"> · {plural(row.files, "file")}</span>
      </>
    ),
  },
  { head: "Verdict", track: "76px", cell: (row) => <Mark tone={verdictTone(row.verdict)}>{row.verdict}</Mark> },
  {
    head: "Not clean",
    sort: { word: "not-clean", down: true },
    track: "190px",
    cell: (row) => (
      <span className="inline-flex gap-2.5">
        {row.infected > 0 && <Dot tone={findingTone("infected")}>{count(row.infected)} infected</Dot>}
        {row.unscannable > 0 && <Dot tone={findingTone("unscannable")}>{count(row.unscannable)} unscannable</Dot>}
      </span>
    ),
  },
  { head: "Reason", track: "minmax(120px, 0.6fr)", cell: (row) => <span className="text-ink-2">{row.reason}</span> },
  {
    head: "Definitions",
    track: "84px",
    mono: true,
    cell: (row) => row.definitions ?? (row.engine ? "site’s own" : "no scanner"),
  },
];

export function Scans() {
  const api = useApi();
  const params = useSearchParams();
  const hash = (params.get("hash") ?? "").trim().toLowerCase();
  const workstation = WorkstationId.safeParse(params.get("workstation")).data;
  const wanted = VERDICTS.find((each) => each === params.get("verdict"));
  const sort = SORTS.find((each) => each === params.get("sort")) ?? "-received";
  const pages = useInfiniteQuery({
    ...api.usb.list.infiniteQueryOptions(
      { verdict: wanted, workstation, sort },
      { getNextPageParam: (page) => page.next },
    ),
    enabled: !HASH.test(hash),
    placeholderData: keepPreviousData,
    refetchInterval: pace(EVERY_MS),
  });
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  const go = (change: { hash?: string; verdict?: string; workstation?: string; sort?: string }) =>
    setAddress(
      searchOf({ hash, verdict: wanted, workstation, sort: params.get("sort") ?? "", ...change }),
      "hash" in change ? "replace" : "push",
    );
  return (
    <>
      <Header title="USB">
        <input
          data-search
          defaultValue={hash}
          onChange={(event) => go({ hash: event.target.value })}
          placeholder="md5 or sha256: where in the fleet was this file seen?"
          aria-label="Search by md5 or sha256"
          aria-invalid={hash !== "" && !HASH.test(hash)}
          spellCheck={false}
          className="mono ml-3 w-[420px] max-w-full rounded-[6px] border border-line-strong bg-panel px-2 py-1"
        />
        <Key>/</Key>
        {hash !== "" && !HASH.test(hash) && (
          <span className="text-ink-2">{hash.length} digits; md5 has 32, sha256 64</span>
        )}
        {workstation !== undefined && <Only workstation={workstation} onAll={() => go({ workstation: "" })} />}
        <span className="flex-1" />
        <ButtonLink href="/usb/requests" look="bare">
          Requests and exceptions
        </ButtonLink>
        <fieldset className="flex gap-1">
          <legend className="sr-only">Verdict</legend>
          {VERDICTS.map((verdict) => (
            <button
              key={verdict}
              type="button"
              aria-pressed={wanted === verdict}
              onClick={() => go({ verdict: wanted === verdict ? "" : verdict })}
              className="rounded-[6px] px-1.5 py-1 hover:bg-hover aria-pressed:bg-pick"
            >
              <Mark tone={verdictTone(verdict)}>{verdict}</Mark>
            </button>
          ))}
        </fieldset>
      </Header>
      {HASH.test(hash) ? (
        <Found hash={hash} />
      ) : (
        <Listed
          asked={pages}
          isEmpty={rows.length === 0}
          empty={
            <Empty
              title={
                wanted
                  ? `No scan ended in ${wanted}`
                  : workstation
                    ? "No stick has been scanned on it"
                    : "No stick has been scanned yet"
              }
            >
              <p>
                Put an image file or a folder into the <code>sticks/</code> folder of the agent’s state, or run{" "}
                <code>npx sallyport-agent scan FILE --json</code>: each is read whole, hashed and scanned, and its
                manifest appears here.
              </p>
            </Empty>
          }
        >
          <Table<ScanRow>
            label="Scans"
            sorted={{ by: sort, onSort: (by) => go({ sort: by }) }}
            columns={columns(clockTrack(rows.map(({ time }) => time)))}
            rows={rows}
            keyOf={(row) => `${row.trail}.${row.index}`}
            hrefOf={(row) => `/usb/${row.trail}/${row.index}`}
            onEnd={more(pages)}
          />
        </Listed>
      )}
    </>
  );
}
