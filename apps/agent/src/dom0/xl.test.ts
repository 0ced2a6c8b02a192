/** One contract for Xen's toolstack behind the door: xl's own listing and words, and the pretend one. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type SimXl, simXl } from "../sim/xl.ts";
import type { Dom0, Ran } from "./dom0.ts";
import { type Domain, readDomains, type Xl, xlOf } from "./xl.ts";

const HEAD = "Name                                        ID   Mem VCPUs\tState\tTime(s)";
const stateOf = ({ id, isPaused, isOver }: Domain) =>
  id === 0 ? "r-----" : isOver ? "---s--" : isPaused ? "--p---" : "-b----";
const row = (domain: Domain) =>
  `${domain.name.padEnd(40)} ${String(domain.id).padStart(5)} ${"1024".padStart(5)} ${"2".padStart(5)}     ${stateOf(domain)} ${"12.3".padStart(7)}`;

/** xl as Xen 4.20 prints it and systemd as Debian's says it, over the pretend toolstack's domains. */
function printed(): { xl: Xl; xen: SimXl; asked: string[] } {
  const xen = simXl();
  const asked: string[] = [];
  const files = new Map<string, string>();
  let said = "";
  const ok = (stdout = ""): Ran => ({ code: 0, stdout, stderr: "", timedOut: false });
  const no = (code: number, stderr: string): Ran => ({ code, stdout: "", stderr, timedOut: false });
  const unitNamed = (args: readonly string[]) => execFileSync("systemd-escape", args, { encoding: "utf8" });
  const acts = { pause: "pause", unpause: "unpause", destroy: "destroy" } as const;

  async function asXl([act, ...args]: readonly string[]): Promise<Ran> {
    if (act === "list") return ok(`${[HEAD, ...(await xen.domains()).map(row)].join("\n")}\n`);
    if (act === "-N") {
      expect(args.slice(0, -1)).toEqual(["create", "-q", "-f"]);
      try {
        const name = await xen.nameIn(args.at(-1)!);
        return ok(JSON.stringify({ c_info: { type: "pvh", name }, b_info: { max_vcpus: 1 }, on_reboot: "restart" }));
      } catch (error) {
        return no(1, `${(error as Error).message}\n`);
      }
    }
    if (!(await xen.domains()).some((domain) => domain.id === Number(args[0])))
      return no(1, `${args[0]} is an invalid domain identifier (rc=-6)\n`);
    await xen[acts[act as keyof typeof acts]](Number(args[0]));
    return ok();
  }
  async function asSystemctl(args: readonly string[], signal: AbortSignal | undefined): Promise<Ran> {
    const unit = args.at(-1)!;
    const file = files.get(unit);
    if (args[0] === "show") {
      if (args[1] === "--property=InvocationID") return ok(file === undefined ? "\n" : `${"a".repeat(32)}\n`);
      return ok(`${file !== undefined && (await xen.isCreating(file)) ? "activating" : "inactive"}\n`);
    }
    asked.push(args.join(" "));
    if (file === undefined) return no(5, `Failed to restart ${unit}: Unit ${unit} not found.\n`);
    try {
      await xen.create(file, args[0] === "start" ? "join" : "anew", signal);
      return ok();
    } catch (error) {
      said = `libxl: error: libxl_dom.c:1838:libxl_name_to_domid: ${(error as Error).message}\nfailed to create\n`;
      return no(
        1,
        `Job for ${unit} failed because the control process exited with error code.\nSee "systemctl status"\n`,
      );
    }
  }
  const run: Dom0["run"] = async (program, args, { signal }) => {
    if (program === "xl") return asXl(args);
    if (program === "systemctl") return asSystemctl(args, signal);
    if (program === "systemd-escape") return ok(unitNamed(args));
    return ok(args.includes(`_SYSTEMD_INVOCATION_ID=${"a".repeat(32)}`) ? said : "");
  };
  const lay: SimXl["lay"] = (file, name) => {
    xen.lay(file, name);
    files.set(unitNamed(["--path", "--template=sallyport-guest@.service", file]).trim(), file);
  };
  return { xl: xlOf({ run }), xen: { ...xen, lay }, asked };
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
      { name: "Domain-0", id: 0, isPaused: false, isOver: false },
      { name: "win 11", id, isPaused: false, isOver: false },
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
  it("says whose a configuration file is, and what is wrong with one", async () => {
    const { xl, xen } = make();
    xen.lay("/etc/xen/a file.cfg", "win 11");
    expect(await xl.nameIn("/etc/xen/a file.cfg")).toBe("win 11");
    await expect(xl.nameIn("/etc/xen/absent.cfg")).rejects.toThrow("/etc/xen/absent.cfg: No such file");
  });
  it("starts a guest from its file, also one that was ended, and no second one of that name", async () => {
    const { xl, xen } = make();
    const file = "/etc/xen/guests/win-11.cfg";
    xen.lay(file, "win 11");
    const found = async () => (await xl.domains()).find((domain) => domain.name === "win 11");
    await xl.create(file, "anew");
    const first = await found();
    expect(first).toMatchObject({ isPaused: false });
    await expect(xl.create(file, "anew")).rejects.toThrow(/^xl create .*win-11\.cfg: .*"win 11" already exists/);
    await xl.destroy(first!.id);
    await xl.create(file, "anew");
    expect((await found())?.id).toBeGreaterThan(first!.id);
  });
  it("waits for a start that is under way, and goes on with it when nobody waits", async () => {
    const { xl, xen } = make();
    const file = "/etc/xen/work.cfg";
    xen.lay(file, "work");
    const { release } = xen.hold(file);
    expect(await xl.isCreating(file)).toBe(false);
    const gone = new AbortController();
    const waited = xl.create(file, "anew", gone.signal);
    while (!(await xl.isCreating(file))) await new Promise<void>((resolve) => void setImmediate(resolve));
    gone.abort();
    await expect(waited).rejects.toThrow();
    expect(await xl.isCreating(file)).toBe(true);
    const joined = xl.create(file, "join");
    release();
    await joined;
    await xl.create(file, "join");
    expect(await xl.isCreating(file)).toBe(false);
    expect(xen.asked.filter((act) => act.startsWith("create"))).toEqual([`create ${file}`]);
    expect((await xl.domains()).find(({ name }) => name === "work")?.isPaused).toBe(false);
  });
});

it("a guest's unit is named by its file; it is begun anew, for the one before may still be ending, or joined", async () => {
  const { xl, xen, asked } = printed();
  const file = "/etc/xen/win-11.cfg";
  xen.lay(file, "win 11");
  await xl.create(file, "anew");
  await xl.create(file, "join");
  const unit = "sallyport-guest@etc-xen-win\\x2d11.cfg.service";
  expect(asked).toEqual([`restart ${unit}`, `start ${unit}`]);
  // of a start that never came to xl the journal has nothing
  await expect(xl.create("/etc/xen/b.cfg", "anew")).rejects.toThrow(
    "xl create /etc/xen/b.cfg: Failed to restart sallyport-guest@etc-xen-b.cfg.service: Unit",
  );
});

it.each([
  ["", []],
  [
    "Name ID Mem VCPUs State Time(s)\n(null)  3  0  1  --p--d  0.0\n",
    [{ name: "(null)", id: 3, isPaused: true, isOver: false }],
  ],
  [
    "Name ID Mem VCPUs State Time(s)\nwork  4  9  1  ---s--  0.1\n",
    [{ name: "work", id: 4, isPaused: false, isOver: true }],
  ],
  [
    "Name ID Mem VCPUs State Time(s)\nwork  5  9  1  ----c-  0.1\n",
    [{ name: "work", id: 5, isPaused: false, isOver: true }],
  ],
  ["Name ID Mem VCPUs State Time(s)\nno domain at all\n", []],
])("of the listing %j are read %j", (listing, domains) => expect(readDomains(listing)).toEqual(domains));
