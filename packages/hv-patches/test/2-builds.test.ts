import { beforeAll, describe, expect, it } from "vitest";
import { loadSeries } from "../tools/series.ts";
import { lengthsOf, symbolsOf } from "../tools/symbols.ts";
import { buildXen, configOf, openTree, patchTree, type Tree } from "../tools/tree.ts";
import { runUnitTest, UNIT_TESTS } from "../tools/units.ts";
import { needPackages } from "./setup.ts";

/** More than what aligns the next function. */
const PADDING_BYTES_MAX = 32;
/** Functions that no diff shows, because what it does show was inlined into them. */
const INLINED_INTO: Readonly<Record<string, string>> = { paging_domctl: "paging_log_dirty_enable" };

describe("Xen", async () => {
  const patches = await loadSeries();
  let tree: Tree;
  beforeAll(async () => {
    await needPackages();
    tree = await openTree();
  });

  it("builds unpatched", async () => {
    await buildXen(tree, [], "release");
  });

  for (const [index, patch] of patches.entries())
    it(`builds up to ${patch.name}`, async () => {
      await buildXen(tree, patches.slice(0, index + 1), "release");
    });

  it("a release build drops the negative control, although it is asked for", async () => {
    expect(await configOf(await buildXen(tree, patches, "release"))).not.toContain("CONFIG_LOWMEM_TEST=y");
  });

  it("a debug build has it", async () => {
    expect(await configOf(await buildXen(tree, patches, "debug"))).toContain("CONFIG_LOWMEM_TEST=y");
  });

  it.each(UNIT_TESTS)("Xen's own unit test %s passes without the series and with it", async (name) => {
    await patchTree(tree, []);
    await runUnitTest(tree, name);
    await patchTree(tree, patches);
    await runUnitTest(tree, name);
  });

  it("the series takes no function away, and adds only those that its text has", async () => {
    const added = patches.flatMap((patch) => patch.text.split("\n").filter((line) => line.startsWith("+"))).join("\n");
    const before = await symbolsOf(await buildXen(tree, [], "release"));
    const after = await symbolsOf(await buildXen(tree, patches, "release"));
    expect([...before].filter((name) => !after.has(name))).toEqual([]);
    // as written: without what custom_param() puts before a name and the compiler behind that of a static variable
    const written = (name: string) => name.replace(/^__setup_(str_)?/, "").replace(/\.\d+$/, "");
    const has = (name: string) => new RegExp(`\\b${written(name)}\\b`).test(added);
    expect([...after].filter((name) => !before.has(name) && !has(name))).toEqual([]);
  });

  it("of the functions that there were, only those change in length that the series' diffs show", async () => {
    const text = patches.map((patch) => patch.text).join("\n");
    const before = await lengthsOf(await buildXen(tree, [], "release"));
    const after = await lengthsOf(await buildXen(tree, patches, "release"));
    const changed = [...before].filter(
      ([name, length]) => Math.abs((after.get(name) ?? 0) - length) > PADDING_BYTES_MAX,
    );
    const shown = ([name]: [string, number]) => new RegExp(`\\b${INLINED_INTO[name] ?? name}\\b`).test(text);
    expect(changed.map(([name]) => name)).toContain("populate_physmap");
    expect(changed.filter((each) => !shown(each))).toEqual([]);
    expect(changed.length).toBeLessThan(before.size / 100);
  });
});
