/** Xen without the series, and with the series but without its option. */
import type { Facts } from "../boot.ts";
import type { Variant } from "../series.ts";
import { expect, guest, has, type ProvingBoot } from "./facts.ts";
import { bootJob } from "./plan.ts";

const plainBoot = (name: string, xen: Variant | "unpatched") => () => bootJob(name, "refused", xen, { options: "" });

/** What differs between any two boots or builds. */
const VARYING =
  /Xen version|Latest ChangeSet|build-id|MHz|TSC|tsc|clock|timer|memory map|text_start|Freed|scrub|skew|AP |CPU|uart/i;

/** Xen's own boot log, up to dom0's start: what is said afterwards depends on how busy this machine is. */
export function bootLog(facts: Facts): string[] {
  const lines = facts.all("boot").filter((line) => line.startsWith("(XEN) "));
  const end = lines.findIndex((line) => /Freed \d+kB init memory/.test(line));
  return lines.slice(0, Math.max(end, 0)).flatMap((line) => {
    const text = line
      .replace(/^\(XEN\) /, "")
      .replace(/^\[[^\]]*\] /, "")
      .replace(/\b[0-9a-f]{8,40}\b|0x[0-9a-f]+|\d+(\.\d+)?/g, "#");
    return VARYING.test(text) ? [] : [text];
  });
}

let unpatchedLog: string[] | undefined;
const bootUnpatched = async () => {
  const facts = await plainBoot("unpatched", "unpatched")();
  unpatchedLog = bootLog(facts);
  return facts;
};

export const unpatched: ProvingBoot = {
  name: "unpatched",
  run: bootUnpatched,
  proofs: [
    {
      name: "unpatched Xen refuses to pass a device through without an IOMMU",
      against: (facts) =>
        expect(
          "the toolstack says so",
          has(facts.all("create"), /^primary rc=[^0].*not supported/),
          facts.all("create").join(" | "),
        ),
    },
  ],
};

export const absent: ProvingBoot = {
  name: "absent",
  async run() {
    if (unpatchedLog === undefined) await bootUnpatched();
    return plainBoot("absent", "release")();
  },
  proofs: [
    {
      name: "with the option absent, patched Xen refuses as unpatched does and shows nothing of the feature",
      against: (facts) => [
        ...expect(
          "the toolstack refuses",
          has(facts.all("create"), /^primary rc=[^0].*not supported/),
          facts.all("create").join(" | "),
        ),
        ...expect("a plain guest runs", has(guest(facts, "plain"), /^idle/), facts.all("create").join(" | ")),
        ...expect("hypfs has nothing", facts.first("lowmem") === "0", facts.first("lowmem")),
      ],
    },
    {
      name: "with the option absent, Xen's boot log is the unpatched one",
      against: (facts) => {
        const log = bootLog(facts);
        const other = unpatchedLog ?? [];
        const more = log.filter((line) => !other.includes(line));
        const less = other.filter((line) => !log.includes(line));
        return [
          ...expect("there is an unpatched log to compare with", other.length > 50, String(other.length)),
          ...more.map((line) => `only with the series: ${line}`),
          ...less.map((line) => `only without it: ${line}`),
        ];
      },
    },
  ],
};
