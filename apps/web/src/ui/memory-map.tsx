/** Machine memory as a bar: who owns what, in order. What nothing contains is striped, a shape and not only a colour. */
import { bytes } from "./bytes.ts";
import { cx } from "./class.ts";

export type Region = { owner: string; from: bigint; to: bigint; oneToOne: boolean; uncontained: boolean };

/** Widths grow with the logarithm of the size: 1 MiB beside 16 GiB must still be read. */
function weight(region: Region): number {
  return 1 + Math.log2(1 + Number((region.to - region.from) >> 20n));
}

export function MemoryMap({ regions }: { regions: Region[] }) {
  const ordered = [...regions].sort((a, b) => (a.from < b.from ? -1 : 1));
  return (
    <ol
      aria-label="Machine memory, lowest address first"
      className="flex h-[58px] overflow-hidden rounded-[6px] border border-line-strong font-mono text-[11px] leading-[1.35]"
    >
      {ordered.map((region) => (
        <li
          key={`${region.from}`}
          title={`${region.owner}: 0x${region.from.toString(16)} to 0x${region.to.toString(16)}`}
          style={{ flex: `${weight(region)} 1 0` }}
          className={cx(
            "min-w-0 overflow-hidden border-r border-line-strong px-2.5 py-[7px] text-ellipsis whitespace-nowrap last:border-r-0",
            region.uncontained
              ? "striped"
              : region.owner === "xen"
                ? "bg-pick"
                : region.owner === "dom0" && "bg-info-bg",
          )}
        >
          <b>{region.owner}</b>
          {region.oneToOne && " · one to one"}
          <br />
          <span className="text-ink-3">
            {bytes(Number(region.from))} – {bytes(Number(region.to))}
          </span>
        </li>
      ))}
    </ol>
  );
}
