"use client";
import { plural } from "@sallyport/shared/base/count.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import { Card } from "../../ui/card.tsx";
import { MemoryMap } from "../../ui/memory-map.tsx";
import { isolationWord } from "../status.ts";
import type { WorkstationRow } from "../store.ts";

/** The machine below dom0, with what is not contained said in words beside the drawing. */
export function Machine({ row }: { row: WorkstationRow }) {
  const layout = row.reported?.layout;
  const { reason } = isolationWord(layout);
  return (
    <Card
      title="Machine memory"
      aside={
        <>
          isolation <b className="mono font-medium text-ink">{layout?.isolation ?? "unknown"}</b>: {reason}
        </>
      }
    >
      {!layout || layout.regions.length === 0 ? (
        <p className="text-ink-2">
          {layout?.hypervisor === "none"
            ? "There is no hypervisor on this machine, so there is nothing to draw: the agent runs beside everything else."
            : layout
              ? "This Xen does not say where in memory it, dom0 and the guests lie: no guest has the low memory."
              : "The agent has not reported a layout."}
        </p>
      ) : (
        <MemoryMap
          regions={layout.regions.map((region) => ({
            owner: region.owner,
            from: BigInt(region.from),
            to: BigInt(region.to),
            oneToOne: region.oneToOne ?? false,
            uncontained: layout.isolation === "direct-map" && (region.oneToOne ?? false),
          }))}
        />
      )}
      {layout && layout.hypervisor !== "none" && <Devices layout={layout} />}
    </Card>
  );
}

function Devices({ layout }: { layout: HypervisorLayout }) {
  const { devices, audit, version, iommu } = layout;
  return (
    <div className="mt-2 flex flex-wrap gap-x-6 gap-y-1 text-ink-2">
      <span>
        {layout.hypervisor} {version}
        {iommu ? `, IOMMU ${iommu}` : ", no IOMMU in use"}
      </span>
      {devices.map((device) => (
        <span key={device.sbdf}>
          {device.class} <span className="mono">{device.sbdf}</span> → {device.owner}
          {device.interrupt && `, interrupt ${device.interrupt}`}
        </span>
      ))}
      {audit && (
        <span className={audit.wrong > 0 ? "text-block" : undefined}>
          {audit.wrong > 0 && "■ "}
          {plural(audit.pages, "page")} audited, {audit.wrong} wrong
        </span>
      )}
    </div>
  );
}
