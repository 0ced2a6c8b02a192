/** What a boot said → what speaks against a proof. Shared by the boots beside this file. */
import type { Facts } from "../boot.ts";

export type Proof = {
  /** A sentence. */
  name: string;
  /** What speaks against it; empty when it holds. */
  against(facts: Facts): string[];
};

export type ProvingBoot = { name: string; run(): Promise<Facts>; proofs: readonly Proof[] };

export const MIB = 1024 * 1024;

/** Checks one thing and says what was there instead. */
export const expect = (what: string, holds: boolean, was: string) =>
  holds ? [] : [`${what}, but: ${was || "(nothing)"}`];
export const has = (lines: readonly string[], pattern: RegExp) => lines.some((line) => pattern.test(line));
export const leavesNamed = (facts: Facts, round: number, name: string) =>
  facts
    .all("leaf")
    .flatMap((line) => (line.startsWith(`${round} ${name} `) ? [line.split(" ").slice(2).join(" ")] : []));
const layoutOf = (facts: Facts) => /^0 layout (.*)$/m.exec(facts.all("leaf").join("\n"))?.[1] ?? "";
export const guest = (facts: Facts, name = "primary") =>
  facts.all("guest").flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));

type Range = { from: number; to: number };
export const rangesOf = (text: string): Range[] =>
  text.split(",").flatMap((each) => {
    const match = /^(0x[0-9a-f]+)-(0x[0-9a-f]+)$/.exec(each);
    return match ? [{ from: Number(match[1]), to: Number(match[2]) }] : [];
  });
const placeOf = (layout: string, who: string): Range[] =>
  rangesOf(new RegExp(`(?:^| )${who}=(\\S+)`).exec(layout)?.[1] ?? "");

/** `pages=… direct=… absent=… wrong=…` */
export function auditOf(text: string): { pages: number; direct: number; absent: number; wrong: number } {
  const number = (name: string) => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1] ?? Number.NaN);
  return { pages: number("pages"), direct: number("direct"), absent: number("absent"), wrong: number("wrong") };
}

/** How far Xen's image and its allocations may separate the mark and dom0's first page. */
const DOM0_GAP_BYTES_MAX = 32 * MIB;

export const dmaArrives: Proof = {
  name: "DMA to a guest-physical address lands in the guest's own page",
  against: (facts) => [
    ...expect("the page comes back", has(guest(facts), /^dma MATCH/), guest(facts).join(" | ")),
    ...expect("the guest's handler gets the interrupt", has(guest(facts), /^irq count=1 /), guest(facts).join(" | ")),
    ...expect(
      "the audit finds nothing wrong",
      auditOf(leavesNamed(facts, 1, "audit")[0] ?? "").wrong === 0,
      facts.all("leaf").join(" | "),
    ),
  ],
};

export const xenAt = (mark: number, exactly: boolean): Proof => ({
  name: exactly
    ? `Xen lies at the mark, dom0 right after it, and the pool is kept (mark at ${mark / MIB} MiB)`
    : `Xen and dom0 lie above the mark (at ${mark / MIB} MiB), and the pool is kept`,
  against(facts) {
    const layout = layoutOf(facts);
    const [xen] = placeOf(layout, "xen");
    const dom0 = placeOf(layout, "dom0");
    const pool = rangesOf(/pool (0x\S+)/.exec(facts.all("leaf").join("\n"))?.[1] ?? "");
    // The 2 MiB between the mark and the image are nobody's, and dom0 may have them.
    const first = dom0.find((range) => xen && range.from >= xen.to);
    if (!xen || dom0.length === 0) return [`there is a layout, but: ${layout}`];
    return [
      ...(exactly
        ? [
            ...expect("Xen's image begins 2 MiB behind the mark", xen.from === mark + 2 * MIB, layout),
            ...expect("dom0 follows Xen", first !== undefined && first.from - xen.to <= DOM0_GAP_BYTES_MAX, layout),
          ]
        : expect("Xen lies above the mark", xen.from >= mark, layout)),
      ...expect(
        "all of dom0 lies above the mark",
        dom0.every((range) => range.from >= mark),
        layout,
      ),
      ...expect("the pool lies below the mark", pool.length > 0 && pool.every((range) => range.to <= mark), layout),
      ...expect("there is no IOMMU", layout.endsWith("iommu=none(direct)"), layout),
    ];
  },
});
