/** The other ways to boot: UEFI and GRUB. */
import { dmaArrives, expect, guest, leavesNamed, MIB, type ProvingBoot, rangesOf, xenAt } from "./facts.ts";
import { bootJob, lowmem } from "./plan.ts";

export const uefi: ProvingBoot = {
  name: "uefi",
  run: () => bootJob("uefi", "short", "release", { route: "uefi" }),
  proofs: [
    xenAt(1024 * MIB, false),
    dmaArrives,
    {
      name: "holes of the firmware's memory map are reserved in the guest's",
      against(facts) {
        const holes = rangesOf(/holes (0x\S+)/.exec(facts.all("leaf").join("\n"))?.[1] ?? "");
        const ram = guest(facts).flatMap((line) =>
          line.startsWith("ram ") ? rangesOf(line.slice(4).replace(/^/, "0x").replace("-", "-0x")) : [],
        );
        if (holes.length === 0) return ["there are holes, but the leaf names none"];
        const inside = holes.filter((hole) => ram.some((range) => range.from < hole.to && range.to >= hole.from));
        return expect(
          "no RAM of the guest lies in a hole",
          inside.length === 0 && ram.length > 1,
          guest(facts).join(" | "),
        );
      },
    },
  ],
};

export const grub: ProvingBoot = {
  name: "grub",
  run: () => bootJob("grub", "short", "release", { route: "grub" }),
  proofs: [xenAt(1024 * MIB, true), dmaArrives],
};

export const grub2: ProvingBoot = {
  name: "grub2",
  run: () =>
    bootJob("grub2", "short", "release", {
      route: "grub2",
      options: `${lowmem("2G")} dom0_mem=448M,max:448M`,
      // With 2.75 GiB or more this board puts only 2 GiB of it below 4 GiB: there would be none above the mark.
      memoryMiB: 2800,
      // dom0 is small here, and the guest's device model reserves (not uses) 384 MiB for its map of a 2 GiB guest.
      before: "MIB=2048; echo 1 >/proc/sys/vm/overcommit_memory",
    }),
  proofs: [
    xenAt(2048 * MIB, false),
    dmaArrives,
    {
      name: "by GRUB's multiboot2, with the mark at 2 GiB, the guest has the whole 2 GiB",
      against: (facts) => {
        const used = leavesNamed(facts, 1, "used_pages")[0] ?? "";
        return expect("all pages", Number(used) > 520_000, used);
      },
    },
  ],
};
