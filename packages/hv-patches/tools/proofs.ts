/** The boots and what each of them proves: data for `npm run hv -- boot` and for the tests alike. */
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { type Boot, boot, type Facts, PRIMARY_UUID } from "./boot.ts";
import type { Vm } from "./qemu.ts";
import { loadSeries, type Variant } from "./series.ts";
import { type Built, buildXen, openTree } from "./tree.ts";
import { PACKAGE } from "./upstream.ts";

export type Proof = {
  /** A sentence. */
  name: string;
  /** What speaks against it; empty when it holds. */
  against(facts: Facts): string[];
};

export type ProvingBoot = { name: string; run(): Promise<Facts>; proofs: readonly Proof[] };

const lowmem = (mark = "1G") => `lowmem_domu=${mark} lowmem_uuid=${PRIMARY_UUID}`;
const EDU = ["-device", "edu,addr=5,dma_mask=0xffffffffffffffff"];
const DISPLAY_PIXELS = { width: 640, height: 480 };
const NET_BYTES = 10 << 20;
/** Two of these and a build fit into the limit of a suite's hooks (vitest.config.ts). */
const BOOT_MS_MAX = 1_000_000;
const MIB = 1024 * 1024;

/** Xen with the whole series, or with none of it. */
export async function xenOf(what: Variant | "unpatched"): Promise<Built> {
  const tree = await openTree();
  const patches = await loadSeries();
  return what === "unpatched" ? buildXen(tree, [], "release") : buildXen(tree, patches, what);
}

const jobText = (name: string) => readFile(path.join(PACKAGE, "proofs/jobs", `${name}.sh`), "utf8");

type Plan = Partial<Omit<Boot, "name" | "xen" | "job">> & { before?: string };

async function bootJob(name: string, job: string, xen: Variant | "unpatched", plan: Plan): Promise<Facts> {
  const { before = "", ...more } = plan;
  return boot({
    name,
    xen: await xenOf(xen),
    job: `${before}\n${await jobText(job)}`,
    options: lowmem(),
    qemu: EDU,
    memoryMiB: 4096,
    hide: "(00:05.0)",
    route: "kernel",
    boundMs: BOOT_MS_MAX,
    ...more,
  });
}

/** Checks one thing and says what was there instead. */
const expect = (what: string, holds: boolean, was: string) => (holds ? [] : [`${what}, but: ${was || "(nothing)"}`]);
const has = (lines: readonly string[], pattern: RegExp) => lines.some((line) => pattern.test(line));
const leavesNamed = (facts: Facts, round: number, name: string) =>
  facts
    .all("leaf")
    .flatMap((line) => (line.startsWith(`${round} ${name} `) ? [line.split(" ").slice(2).join(" ")] : []));
const layoutOf = (facts: Facts) => /^0 layout (.*)$/m.exec(facts.all("leaf").join("\n"))?.[1] ?? "";
const guest = (facts: Facts, name = "primary") =>
  facts.all("guest").flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));

type Range = { from: number; to: number };
const rangesOf = (text: string): Range[] =>
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

const dmaArrives: Proof = {
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

const xenAt = (mark: number, exactly: boolean): Proof => ({
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
    if (!xen || !first) return [`there is a layout, but: ${layout}`];
    return [
      ...(exactly
        ? [
            ...expect("Xen's image begins 2 MiB behind the mark", xen.from === mark + 2 * MIB, layout),
            ...expect("dom0 follows Xen", first.from - xen.to <= DOM0_GAP_BYTES_MAX, layout),
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

const main: ProvingBoot = {
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

const again: ProvingBoot = {
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

/** Serves random bytes to each driver, and compares what comes back. */
async function netServer(): Promise<{ port: number; sha256: string; close(): void }> {
  const bytes = randomBytes(NET_BYTES);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const server = http.createServer((request, response) => {
    if (request.url === "/down") {
      response.end(bytes);
      return;
    }
    const hash = createHash("sha256");
    let count = 0;
    request.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      count += chunk.length;
    });
    request.on("end", () =>
      response.end(count === NET_BYTES && hash.digest("hex") === sha256 ? "equal" : `differs:${count}`),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, sha256, close: () => server.close() };
}

/** How many pixels of QEMU's picture are not what the guest drew. */
export function wrongPixels(ppm: Uint8Array): number {
  const { width, height } = DISPLAY_PIXELS;
  const header = `P6\n${width} ${height}\n255\n`;
  if (Buffer.from(ppm.subarray(0, header.length)).toString("latin1") !== header) return width * height;
  let wrong = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = header.length + 3 * (y * width + x);
      if (ppm[at] !== (x & 255) || ppm[at + 1] !== (y & 255) || ppm[at + 2] !== ((x ^ y) & 255)) wrong++;
    }
  return wrong;
}

let picture: Uint8Array = new Uint8Array();
const capture = async (vm: Vm) => {
  const to = path.join(vm.folder, "picture.ppm");
  await vm.qmp.run("screendump", { filename: to, device: "display0" });
  picture = await readFile(to);
};

let sent = "";
const devices: ProvingBoot = {
  name: "devices",
  async run() {
    const server = await netServer();
    sent = server.sha256;
    const nic = (driver: string, slot: number) => [
      ...["-netdev", `user,id=net${slot},net=10.0.${slot}.0/24`],
      ...["-device", `${driver},addr=${slot},netdev=net${slot},mac=52:54:00:00:00:0${slot},romfile=`],
    ];
    try {
      return await bootJob("devices", "devices", "release", {
        options: `${lowmem()} lowmem_devices=00:05.0,00:06.0,00:07.0`,
        qemu: [...nic("e1000", 5), ...nic("e1000e", 6), "-device", "bochs-display,id=display0,addr=7,romfile="],
        hide: "(00:05.0)(00:06.0)(00:07.0)",
        before: `PORT=${server.port}`,
        onPicture: capture,
      });
    } finally {
      server.close();
    }
  },
  proofs: [
    ...(["e1000", "e1000e"] as const).map((driver): Proof => {
      // The latter names are those of a guest that takes its interrupts as event channels.
      const interrupt = driver === "e1000" ? "(IO-APIC|-ioapic)" : "(PCI-MSI|-msi)";
      return {
        name: `Linux's ${driver} driver moves 10 MiB both ways, by ${driver === "e1000" ? "INTx" : "MSI-X"}`,
        against(facts) {
          const line =
            guest(facts).find((each) => each.startsWith(`net driver=${driver} `)) ?? guest(facts).join(" | ");
          return [
            ...expect("what came down is what was sent", line.includes(`bytes=${NET_BYTES} sha256=${sent}`), line),
            ...expect("what went up is the same", line.includes("up=equal"), line),
            ...expect(`by ${interrupt}, many times`, new RegExp(`irq=${interrupt} count=\\d{2,}`).test(line), line),
          ];
        },
      };
    }),
    {
      name: "dom0 has no line for any of the guest's devices, and no display",
      against: (facts) => [
        ...expect("dom0 has none", facts.first("dom0irq") === "0", facts.first("dom0irq")),
        ...expect("dom0 has no frame buffer", facts.first("fb") === "0 0", facts.first("fb")),
        ...expect(
          "Xen lists the three devices",
          leavesNamed(facts, 1, "devices")[0]?.split(",").sort().join() === "0000:00:05.0,0000:00:06.0,0000:00:07.0",
          leavesNamed(facts, 1, "devices").join(),
        ),
      ],
    },
    {
      name: "the display's registers are at least 100 times faster touched directly than through the device model",
      against: (facts) => {
        const rate = (name: string) =>
          Number(
            /reads_per_s=(\d+)/.exec(guest(facts).find((line) => line.startsWith(`registers ${name}`)) ?? "")?.[1],
          );
        const ratio = rate("direct") / rate("emulated");
        return expect(
          "a ratio of 100",
          ratio >= 100,
          `${rate("direct")} against ${rate("emulated")} reads a second, ${ratio.toFixed(0)} times`,
        );
      },
    },
    {
      name: "a picture that the guest draws is what comes out of the display",
      against: () => {
        const wrong = wrongPixels(picture);
        return expect("no pixel differs", wrong === 0, `${wrong} pixels differ`);
      },
    },
  ],
};

const control: ProvingBoot = {
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

const uefi: ProvingBoot = {
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

const grub: ProvingBoot = {
  name: "grub",
  run: () =>
    bootJob("grub", "short", "release", {
      route: "grub",
      options: lowmem("2G"),
      // RAM up to 3 GiB below 4 GiB, so that there is some above the mark.
      qemu: ["-M", "q35,max-ram-below-4g=3G", ...EDU],
      memoryMiB: 5120,
      before: "MIB=2048",
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

const plainBoot = (name: string, xen: Variant | "unpatched") => () => bootJob(name, "refused", xen, { options: "" });

/** Xen's own boot log without what differs between any two boots or builds. */
export const bootLog = (facts: Facts): string[] =>
  facts.all("boot").flatMap((line) => {
    const text = line
      .replace(/^\(XEN\) /, "")
      .replace(/^\[[^\]]*\] /, "")
      .replace(/\b[0-9a-f]{8,40}\b|0x[0-9a-f]+|\d+(\.\d+)?/g, "#");
    return /Xen version|Latest ChangeSet|build-id|MHz|TSC|tsc|clock|timer|memory map|text_start|Freed|scrub|skew|AP |CPU/i.test(
      text,
    )
      ? []
      : [text];
  });

let unpatchedLog: string[] = [];
const unpatched: ProvingBoot = {
  name: "unpatched",
  async run() {
    const facts = await plainBoot("unpatched", "unpatched")();
    unpatchedLog = bootLog(facts);
    return facts;
  },
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

const absent: ProvingBoot = {
  name: "absent",
  run: plainBoot("absent", "release"),
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
        const more = log.filter((line) => !unpatchedLog.includes(line));
        const less = unpatchedLog.filter((line) => !log.includes(line));
        return [
          ...expect("there is an unpatched log to compare with", unpatchedLog.length > 50, String(unpatchedLog.length)),
          ...more.map((line) => `only with the series: ${line}`),
          ...less.map((line) => `only without it: ${line}`),
        ];
      },
    },
  ],
};

export const BOOTS: readonly ProvingBoot[] = [main, again, control, devices, uefi, grub, unpatched, absent];
