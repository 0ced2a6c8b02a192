import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HypervisorLayout } from "../record/hypervisor.ts";
import owned from "./golden/direct-map-owned.json" with { type: "json" };
import reserved from "./golden/direct-map-reserved.json" with { type: "json" };
import { gradeOf, iommuOf, layoutOf } from "./isolation.ts";
import { addresses, auditOf, className, domainNames, iommuSaid, lowmemLayout, ranges, type Seen } from "./seen.ts";

const dom0 = { type: "xen\n", capabilities: "control_d\n" };
const list = (...guests: string[]) =>
  ["Name                  ID   Mem VCPUs\tState\tTime(s)", "Domain-0               0   896     2     r-----      73.1"]
    .concat(guests.map((name, at) => `${name.padEnd(20)}   ${at + 1}   511     1     -b----       8.2`))
    .join("\n");
const info = (caps: string, line = "dom0_mem=896M") =>
  `xen_version : 4.20.3\nvirt_caps : ${caps}\nxen_commandline : ${line}\n`;
const lowmem = {
  layout: "pool=0x100000-0x40000000 xen=0x40200000-0x405a6000 dom0=0x40600000-0x60000000,+1 iommu=none(direct)",
  pool: "0x100000-0x40000000",
  owner: "d1",
  devices: "0000:00:10.0",
  audit: "pages=261888 direct=130816 absent=131072 wrong=0",
};
const ON = "(XEN) AMD-Vi: IOMMU Extended Features:\n(XEN) I/O virtualisation enabled\n(XEN)  - Dom0 mode: Relaxed\n";
const OFF = "(XEN) I/O virtualisation disabled\n";
const assigned = { primary: "Vdev Device\n05.0 0000:00:10.0\n" };

describe("the grade", () => {
  it.each([
    ["no hypervisor is an honest answer", {}, "none", "no hypervisor"],
    ["another hypervisor is not Xen", { ...dom0, type: "kvm" }, "none", "no hypervisor"],
    ["a guest of Xen cannot see what is below", { type: "xen" }, "none", "itself a guest"],
    ["dom0 with no guests", { ...dom0, domains: list() }, "none", "no guest is running"],
    ["guests without a device", { ...dom0, domains: list("a", "b") }, "emulated", "no guest has a device"],
    [
      "a device behind an IOMMU that Xen's boot log shows",
      { ...dom0, info: info("pv hvm"), domains: list("primary"), dmesg: ON, assigned },
      "iommu",
      "by the IOMMU (AMD-Vi)",
    ],
    [
      "a device and an IOMMU that ordinary Xen claims, its boot log gone",
      { ...dom0, info: info("pv hvm hvm_directio"), domains: list("primary"), assigned },
      "iommu",
      "by the IOMMU (on)",
    ],
    [
      "a device and no word of an IOMMU",
      { ...dom0, info: info("pv hvm"), domains: list("primary"), assigned },
      "direct-map",
      "no IOMMU",
    ],
    [
      "a device, and tools that do not answer",
      { ...dom0, domains: list("primary"), assigned },
      "direct-map",
      "no IOMMU that dom0 could see",
    ],
    [
      "the misleading virt_caps of the direct map are not believed",
      { ...dom0, info: info("hvm hvm_directio", "lowmem_domu=1G"), domains: list("primary"), lowmem },
      "direct-map",
      "can reach all memory",
    ],
    [
      "nor when the hypervisor's own words cannot be read",
      { ...dom0, info: info("hvm hvm_directio", "lowmem_domu=1G"), dmesg: ON, domains: list("primary"), assigned },
      "direct-map",
      "no IOMMU that dom0 could see",
    ],
    [
      "low memory for a guest, but an IOMMU behind its device",
      {
        ...dom0,
        domains: list("primary"),
        lowmem: { ...lowmem, layout: lowmem.layout.replace("none(direct)", "hardware") },
      },
      "iommu",
      "by the IOMMU",
    ],
    [
      "low memory reserved, and nobody has it yet",
      { ...dom0, domains: list(), lowmem: { ...lowmem, owner: "none", devices: "none" } },
      "none",
      "no guest is running",
    ],
  ] satisfies [string, Seen, string, string][])("%s", (_, seen, isolation, words) => {
    const { body, text } = layoutOf(seen);
    expect(HypervisorLayout.parse(body)).toEqual(body);
    expect(body.isolation).toBe(isolation);
    expect(text).toContain(words);
  });

  it("is not better than direct-map for a guest whose devices could not be read, unless an IOMMU was seen", () => {
    const unread = { ...dom0, info: info("pv hvm"), domains: list("primary"), assigned: { primary: undefined } };
    expect(layoutOf(unread)).toMatchObject({ body: { isolation: "direct-map" }, severity: "warning" });
    expect(layoutOf(unread).text).toContain("primary may have a device (it could not be read) with no IOMMU");
    expect(layoutOf({ ...unread, dmesg: ON }).body.isolation).toBe("emulated");
    expect(layoutOf({ ...unread, assigned: { primary: "" } }).body.isolation).toBe("emulated");
    const owner = { ...dom0, domains: list("primary"), lowmem: { ...lowmem, devices: undefined }, assigned: {} };
    expect(layoutOf(owner).body.isolation).toBe("direct-map");
  });

  it("says so when the guests themselves could not be read", () => {
    const { severity, text } = layoutOf({ ...dom0, info: info("pv hvm") });
    expect(severity).toBe("warning");
    expect(text).toContain("which guests run could not be read");
  });

  it("tells what Xen found wrong with its command line", () => {
    const error = "lowmem_domu=8G reaches past the 4G that Xen can be moved in; write lowmem_domu=1G\n";
    const { severity, text } = layoutOf({ ...dom0, domains: list(), lowmem: { error } });
    expect(severity).toBe("warning");
    expect(text).toBe(`Xen of unknown version: no guest is running; Xen's command line is wrong: ${error.trim()}`);
    const broken = { ...lowmem, error, audit: "pages=10 direct=9 absent=0 wrong=1 first=0x1000" };
    expect(layoutOf({ ...dom0, domains: list("primary"), lowmem: broken }).severity).toBe("critical");
  });

  it("is never better than direct-map for a device without an IOMMU that was seen", () => {
    for (const iommu of ["absent", "unknown"] as const) expect(gradeOf(1, 1, iommu)).toBe("direct-map");
  });

  it("does not come from what a guest wrote into Xen's log", () => {
    const forged = `${OFF}(d1) I/O virtualisation enabled\n(d1) (XEN) I/O virtualisation enabled\n`;
    expect(iommuOf({ ...dom0, info: info("hvm"), dmesg: forged })).toBe("absent");
  });
});

/** What real boots of the patched hypervisor said: the proof "main", before and after its guest was created. */
describe("recorded from a boot", () => {
  it("the low memory is reserved while nobody has it, whatever Xen says of virtualised I/O", () => {
    expect(reserved.info).toContain("hvm_directio");
    expect(reserved.dmesg).toContain("I/O virtualisation enabled");
    const { body } = layoutOf(reserved);
    expect(body).toMatchObject({ version: "4.20.4-pre", isolation: "none", iommu: "absent" });
    expect(body.regions.slice(0, 4)).toEqual([
      { owner: "reserved", from: "0x100000", to: "0x40000000" },
      { owner: "dom0", from: "0x40000000", to: "0x40200000" },
      { owner: "xen", from: "0x40200000", to: "0x405ae000" },
      { owner: "dom0", from: "0x40600000", to: "0x60000000" },
    ]);
  });

  it("a guest with its device and all of the low memory is direct-map, each page checked", () => {
    const { body, severity } = layoutOf(owned);
    expect(HypervisorLayout.parse(body)).toEqual(body);
    expect(body).toMatchObject({ isolation: "direct-map", iommu: "absent", audit: { pages: 261_888, wrong: 0 } });
    expect(body.regions[0]).toEqual({ owner: "d1", from: "0x100000", to: "0x40000000", oneToOne: true });
    expect(body.devices).toEqual([{ sbdf: "0000:00:05.0", class: "class 00ff", owner: "d1", interrupt: "21" }]);
    expect(severity).toBe("warning");
  });

  it("its boot log alone is not taken for an IOMMU's", () => {
    expect(iommuOf({ ...owned, lowmem: undefined })).toBe("unknown");
    expect(iommuSaid(owned.dmesg)).toEqual({ on: false });
  });
});

describe("the layout", () => {
  const seen: Seen = { ...dom0, info: info("hvm hvm_directio", "lowmem_domu=1G"), domains: list("primary"), lowmem };

  it("names the owner of each region, in the order of memory", () => {
    expect(layoutOf(seen).body.regions).toEqual([
      { owner: "primary", from: "0x100000", to: "0x40000000", oneToOne: true },
      { owner: "xen", from: "0x40200000", to: "0x405a6000" },
      { owner: "dom0", from: "0x40600000", to: "0x60000000" },
    ]);
  });

  it("calls a map with a page elsewhere not one to one, and critical", () => {
    const broken = { ...lowmem, audit: "pages=261888 direct=130000 absent=131072 wrong=816 first=0x1000000" };
    const { body, severity, text } = layoutOf({ ...seen, lowmem: broken });
    expect(body.audit).toEqual({ pages: 130816, wrong: 816 });
    expect(body.regions[0]?.oneToOne).toBe(false);
    expect(severity).toBe("critical");
    expect(text).toContain("816 not one to one");
  });

  it("claims nothing of the map when there is no audit", () => {
    const { body } = layoutOf({ ...seen, lowmem: { ...lowmem, audit: undefined } });
    expect(body.audit).toBeUndefined();
    expect(body.regions[0]).toEqual({ owner: "primary", from: "0x100000", to: "0x40000000" });
  });

  it("gives each device its owner, class and interrupt line, and leaves out what nobody asks about", () => {
    const devices = {
      "0000:00:10.0": { class: "0x038000\n", irq: "21\n" },
      "0000:00:11.0": { class: "0x0c0330\n", irq: "0\n" },
      "0000:00:00.0": { class: "0x060000\n", irq: "0\n" },
      "not an address": { class: "0x030000" },
    };
    expect(layoutOf({ ...seen, devices }).body.devices).toEqual([
      { sbdf: "0000:00:10.0", class: "display", owner: "primary", interrupt: "21" },
      { sbdf: "0000:00:11.0", class: "usb controller", owner: "dom0" },
    ]);
  });

  it("is a valid record body whatever the texts are", () => {
    const text = fc.option(fc.oneof(fc.string(), fc.constantFrom(...Object.values(lowmem), ON, list("a"))), {
      nil: undefined,
    });
    const any: fc.Arbitrary<Seen> = fc.record({
      type: fc.constantFrom("xen", "xen\n", undefined),
      capabilities: fc.constantFrom("control_d\n", "", undefined),
      info: text,
      dmesg: text,
      domains: text,
      lowmem: fc.record({
        layout: text,
        pool: text,
        holes: text,
        owner: text,
        devices: text,
        audit: text,
        error: text,
      }),
      assigned: fc.dictionary(fc.string(), text),
      devices: fc.dictionary(fc.string(), fc.record({ class: text, irq: text })),
    });
    fc.assert(fc.property(any, (seen) => HypervisorLayout.safeParse(layoutOf(seen).body).success));
  });
});

describe("reading", () => {
  it("leaves out what is no range", () => {
    expect(ranges("0x100000-0x40000000,none,+3,0x5-0x1,0x6-0x7")).toEqual([
      { from: "0x100000", to: "0x40000000" },
      { from: "0x6", to: "0x7" },
    ]);
  });

  it("finds addresses with and without a segment", () => {
    expect(addresses("Vdev Device\n05.0 0000:00:10.0\n06.0 0001:C0:1f.7")).toEqual(["0000:00:10.0", "0001:c0:1f.7"]);
    expect(addresses("00:05.0, none")).toEqual(["0000:00:05.0"]);
  });

  it("counts in an audit only the pages that are there", () => {
    expect(auditOf("pages=10 direct=3 absent=6 wrong=1 first=0x1000")).toEqual({ pages: 4, wrong: 1 });
    expect(auditOf("pages=10")).toBeUndefined();
  });

  it("reads names of domains with blanks in them, and not the heading", () => {
    expect([...domainNames(list("two words"))]).toEqual([
      [0, "Domain-0"],
      [1, "two words"],
    ]);
  });

  it("has a layout only where the hypervisor speaks of an IOMMU", () => {
    expect(lowmemLayout("")).toBeUndefined();
    expect(lowmemLayout(lowmem.layout)?.xen).toEqual([{ from: "0x40200000", to: "0x405a6000" }]);
  });

  it("takes the IOMMU from Xen's own lines, time stamps or not", () => {
    expect(iommuSaid("(XEN) [    1.5] I/O virtualisation enabled\n")).toEqual({ on: true });
    expect(iommuSaid(ON)).toEqual({ on: true, kind: "AMD-Vi" });
    expect(iommuSaid(OFF)).toEqual({ on: false });
    expect(iommuSaid("I/O virtualisation enabled")).toBeUndefined();
  });

  it("puts PCI classes into words", () => {
    expect(["0x030000", "0x0c0330", "0x020000", "0xff0000", "junk"].map(className)).toEqual([
      "display",
      "usb controller",
      "network",
      "class ff00",
      "unknown",
    ]);
  });
});
