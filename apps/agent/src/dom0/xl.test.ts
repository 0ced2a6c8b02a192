/** One contract for Xen's toolstack behind the door: xl's own listing and words, and the pretend one. */
import { describe, expect, it } from "vitest";
import { simDom0 } from "../sim/sim.ts";
import { type SimXl, simXl } from "../sim/xl.ts";
import { readDomains, type Xl, xlOf } from "./xl.ts";

/** xl as Xen 4.20 prints it, over the pretend toolstack's domains. */
function printed(): { xl: Xl; xen: SimXl } {
  const xen = simXl();
  const dom0 = simDom0();
  let domains: Awaited<ReturnType<Xl["domains"]>> = [];
  const row = ({ name, id, isPaused }: (typeof domains)[number]) =>
    `${name.padEnd(40)} ${String(id).padStart(5)} ${"1024".padStart(5)} ${"2".padStart(5)}     ${id === 0 ? "r-----" : isPaused ? "--p---" : "-b----"} ${"12.3".padStart(7)}`;
  const acts = { pause: "pause", unpause: "unpause", destroy: "destroy" } as const;
  // the pretend dom0's programs answer at once: what the toolstack has is looked at before
  const look = async () => {
    domains = await xen.domains();
  };
  dom0.program("xl", ([act, id]) => {
    if (act === "list") {
      const head = "Name                                        ID   Mem VCPUs\tState\tTime(s)";
      return { stdout: `${[head, ...domains.map(row)].join("\n")}\n` };
    }
    if (!domains.some((domain) => domain.id === Number(id)))
      return { code: 1, stderr: `${id} is an invalid domain identifier (rc=-6)\n` };
    void xen[acts[act as keyof typeof acts]](Number(id));
    return {};
  });
  const over = xlOf(dom0);
  const xl: Xl = {
    domains: async () => {
      await look();
      return over.domains();
    },
    pause: (id) => look().then(() => over.pause(id)),
    unpause: (id) => look().then(() => over.unpause(id)),
    destroy: (id) => look().then(() => over.destroy(id)),
  };
  return { xl, xen };
}
const pretend = () => {
  const xen = simXl();
  return { xl: xen as Xl, xen };
};

describe.each([
  ["xl's own words", printed],
  ["the pretend toolstack", pretend],
])("a toolstack: %s", (_name, make) => {
  it("lists domains by number, dom0 first, and whether they stand still", async () => {
    const { xl, xen } = make();
    const id = xen.start("win 11");
    expect(await xl.domains()).toEqual([
      { name: "Domain-0", id: 0, isPaused: false },
      { name: "win 11", id, isPaused: false },
    ]);
  });
  it("pauses, lets go on and ends a guest, which is then gone", async () => {
    const { xl, xen } = make();
    const id = xen.start("work");
    const found = async () => (await xl.domains()).find((domain) => domain.id === id);
    await xl.pause(id);
    expect((await found())?.isPaused).toBe(true);
    await xl.unpause(id);
    expect((await found())?.isPaused).toBe(false);
    await xl.destroy(id);
    expect(await found()).toBeUndefined();
    expect(xen.start("work")).not.toBe(id);
  });
  it("refuses a number that nobody has, and dom0's own", async () => {
    const { xl } = make();
    await expect(xl.pause(7)).rejects.toThrow("7 is an invalid domain identifier");
    for (const act of ["pause", "unpause", "destroy"] as const) await expect(xl[act](0)).rejects.toThrow();
  });
});

it.each([
  ["", []],
  ["Name ID Mem VCPUs State Time(s)\n(null)  3  0  1  --p--d  0.0\n", [{ name: "(null)", id: 3, isPaused: true }]],
  ["Name ID Mem VCPUs State Time(s)\nno domain at all\n", []],
])("of the listing %j are read %j", (listing, domains) => expect(readDomains(listing)).toEqual(domains));
