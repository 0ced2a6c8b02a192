/** Two primary guests one after the other, beside a plain one. */
import { auditOf, expect, guest, has, leavesNamed, type ProvingBoot } from "./facts.ts";
import { bootJob } from "./plan.ts";

export const again: ProvingBoot = {
  name: "again",
  run: () => bootJob("again", "again", "release", {}),
  proofs: [
    {
      name: "the device's DMA is stopped before the guest's pages are freed, by Xen alone when the toolstack does not",
      against: (facts) => {
        const lines = facts.all("xen").filter((line) => /bus mastering|is dead/.test(line));
        return [
          ...expect(
            "Xen stops it at a death without xl",
            /bus mastering stopped/.test(lines.at(-2) ?? ""),
            lines.join(" | "),
          ),
          ...expect(
            "what the device model does not map is free then",
            Number(leavesNamed(facts, 5, "used_pages")[0] ?? "none") < 1000,
            facts.all("leaf").join(" | "),
          ),
          ...expect(
            "no page is used once it has ended",
            leavesNamed(facts, 6, "used_pages").includes("0"),
            facts.all("leaf").join(" | "),
          ),
          ...expect("the pages follow", /is dead, its memory is free/.test(lines.at(-1) ?? ""), lines.join(" | ")),
        ];
      },
    },
    {
      name: "the pool is scrubbed: the next guest's device finds nothing of the last one",
      against: (facts) => {
        const scans = guest(facts).filter((line) => line.startsWith("scan"));
        const hits = scans.map((line) => Number(/secret=(\d+)/.exec(line)?.[1]));
        return expect(
          "0 before, some while it is there, 0 after",
          hits.length === 3 && hits[0] === 0 && hits[1]! > 0 && hits[2] === 0,
          scans.join(" | "),
        );
      },
    },
    {
      name: "a second guest after the first has DMA and interrupt again, while a plain one runs beside it",
      against: (facts) => [
        ...expect(
          "DMA twice",
          guest(facts).filter((line) => line.startsWith("dma MATCH")).length === 2,
          guest(facts).join(" | "),
        ),
        ...expect(
          "interrupt twice",
          guest(facts).filter((line) => line.startsWith("irq count=1")).length === 2,
          guest(facts).join(" | "),
        ),
        ...expect("the plain guest is up", has(guest(facts, "plain"), /^idle/), guest(facts, "plain").join(" | ")),
        ...expect(
          "nothing is wrong in the map",
          auditOf(leavesNamed(facts, 4, "audit")[0] ?? "").wrong === 0,
          leavesNamed(facts, 4, "audit").join(),
        ),
      ],
    },
  ],
};
