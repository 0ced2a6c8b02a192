/** The negative controls, in a debug build: what the proofs would say if the map were wrong. */
import { auditOf, expect, guest, leavesNamed, type ProvingBoot } from "./facts.ts";
import { bootJob } from "./plan.ts";

export const control: ProvingBoot = {
  name: "control",
  run: () => bootJob("control", "control", "debug", {}),
  proofs: [
    {
      name: "with assertions on, DMA arrives and nothing asserts",
      against: (facts) => [
        ...expect(
          "the first guest's page comes back",
          /^dma MATCH/.test(guest(facts).filter((line) => line.startsWith("dma"))[0] ?? ""),
          guest(facts).join(" | "),
        ),
        ...expect(
          "its map is one to one",
          auditOf(leavesNamed(facts, 0, "audit")[0] ?? "").wrong === 0,
          facts.all("leaf").join(" | "),
        ),
        ...expect("no assertion", !/Assertion|ASSERT/.test(facts.xenLog), "see Xen's log"),
      ],
    },
    {
      name: "without the identity map the same DMA misses (the snow crash), and the audit sees it",
      against: (facts) => {
        const audit = leavesNamed(facts, 1, "audit")[0] ?? "";
        return [
          ...expect(
            "the second guest's page does not come back",
            /^dma MISMATCH/.test(guest(facts).filter((line) => line.startsWith("dma"))[1] ?? ""),
            guest(facts).join(" | "),
          ),
          ...expect(
            "the audit counts its pages as wrong",
            auditOf(audit).wrong > 100_000 && auditOf(audit).direct === 0,
            audit,
          ),
        ];
      },
    },
    {
      name: "the audit finds one planted mismatch among all pages",
      against: (facts) => {
        const audit = leavesNamed(facts, 2, "audit")[0] ?? "";
        const { wrong, direct } = auditOf(audit);
        return expect(
          "one extent is wrong, the rest is not",
          wrong >= 1 && wrong <= 512 && direct > 250_000 && / first=0x3f/.test(audit),
          audit,
        );
      },
    },
  ],
};
