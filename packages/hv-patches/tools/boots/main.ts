/** The series as it ships: layout, DMA, interrupts, guards, what is left when the guest is gone. */
import { auditOf, dmaArrives, expect, guest, has, leavesNamed, MIB, type ProvingBoot, xenAt } from "./facts.ts";
import { bootJob, EDU, lowmem } from "./plan.ts";

export const main: ProvingBoot = {
  name: "main",
  run: () =>
    bootJob("main", "main", "release", {
      options: `${lowmem()} lowmem_devices=00:05.0`,
      qemu: [...EDU, "-device", "edu,addr=6"],
      hide: "(00:05.0)(00:06.0)",
      before: "XEN_AT=$(xenhypfs cat /lowmem/layout | sed 's/.*xen=0x\\([0-9a-f]*\\)-.*/\\1/')",
    }),
  proofs: [
    xenAt(1024 * MIB, true),
    {
      name: "default settings of xl do: the guest gets all of the low memory",
      against: (facts) => {
        const made = facts.all("create").filter((line) => line.startsWith("primary"));
        const used = leavesNamed(facts, 1, "used_pages");
        return [
          ...expect("it is created", /rc=0/.test(made[0] ?? ""), facts.all("create").join(" | ")),
          ...expect("it has all pages of the pool", used.includes("261888"), used.join(" | ")),
        ];
      },
    },
    dmaArrives,
    {
      name: "only the guest's domain has the device's interrupt, dom0 has no line for it",
      against: (facts) => [
        ...expect("dom0 has none", facts.first("dom0irq") === "0", facts.first("dom0irq")),
        ...expect(
          "Xen binds it to one guest",
          has(facts.all("xen"), /IRQ:.*d\d+: *\d+\(/) && !has(facts.all("xen"), /d0: *\d+\([^)]*\),? *d\d/),
          facts.all("xen").join(" | "),
        ),
      ],
    },
    {
      name: "a message-signalled interrupt (plain MSI) reaches the guest's handler, once, and only the guest's domain has it",
      against: (facts) => [
        ...expect("the guest counts one", has(guest(facts), /^msi count=1 /), guest(facts).join(" | ")),
        ...expect(
          "Xen binds a message to one guest",
          has(facts.all("xen"), /PCI-MSI.*d[1-9]\d*: *\d+\(/),
          facts.all("xen").join(" | "),
        ),
      ],
    },
    {
      name: "a device told to read Xen's memory can: nothing isolates (so that nobody forgets)",
      against: (facts) => {
        // The multiboot header is at the beginning of Xen's image.
        const bytes = guest(facts).find((line) => /^peek 0x4020/.test(line)) ?? "";
        return expect("it reads the multiboot magic", / 02 b0 ad 1b/.test(bytes), bytes || guest(facts).join(" | "));
      },
    },
    {
      name: "another domain is refused the device, and so is one of the same name",
      against: (facts) => [
        ...expect(
          "the stranger is refused",
          has(facts.all("create"), /^stranger rc=[^0]/),
          facts.all("create").join(" | "),
        ),
        ...expect("the twin is refused", has(facts.all("create"), /^twin rc=[^0]/), facts.all("create").join(" | ")),
        ...expect(
          "Xen says why",
          has(facts.all("xen"), /device refused: without IOMMU only the domain named/) &&
            has(facts.all("xen"), /refused, d\d+ owns the low memory/),
          facts.all("xen").join(" | "),
        ),
      ],
    },
    {
      name: "a device that the command line does not name is refused",
      against: (facts) => [
        ...expect("attaching fails", /rc=[^0]/.test(facts.first("attach")), facts.first("attach")),
        ...expect(
          "Xen says why",
          has(facts.all("xen"), /00:06\.0 refused, lowmem_devices= does not name it/),
          facts.all("xen").join(" | "),
        ),
      ],
    },
    {
      name: "what would end the identity map is refused with the reason, and the guest lives on",
      against: (facts) => [
        ...expect("save fails", /rc=[^0]/.test(facts.first("save")), facts.first("save")),
        ...expect(
          "exchange is refused",
          facts.all("identity").includes("exchange EPERM"),
          facts.all("identity").join(" | "),
        ),
        ...expect(
          "add_to_physmap is refused",
          facts.all("identity").includes("add_to_physmap EPERM"),
          facts.all("identity").join(" | "),
        ),
        ...expect(
          "populate-on-demand is refused",
          has(facts.all("create"), /^pod rc=[^0]/),
          facts.all("create").join(" | "),
        ),
        ...["save or migrate", "memory_exchange", "add_to_physmap", "populate-on-demand"].flatMap((what) =>
          expect(
            `Xen says why for ${what}`,
            has(facts.all("xen"), new RegExp(`${what}.* refused: d`)),
            facts.all("xen").join(" | "),
          ),
        ),
        ...expect("the guest lives", facts.first("alive") === "primary", facts.first("alive")),
        ...expect(
          "its map is still one to one",
          auditOf(leavesNamed(facts, 2, "audit")[0] ?? "").wrong === 0,
          leavesNamed(facts, 2, "audit").join(),
        ),
      ],
    },
    {
      name: "a dead guest's pages are all back in the pool, which has no owner then, and its device's DMA is off",
      against: (facts) => {
        const command = Number.parseInt(facts.first("command").slice(0, 2), 16);
        return [
          ...expect("bus mastering is off after xl destroy", (command & 4) === 0, facts.first("command")),
          ...expect(
            "the pool has no owner",
            leavesNamed(facts, 3, "owner").includes("none"),
            facts.all("leaf").join(" | "),
          ),
          ...expect(
            "no page is used",
            leavesNamed(facts, 3, "used_pages").includes("0"),
            facts.all("leaf").join(" | "),
          ),
        ];
      },
    },
  ],
};
