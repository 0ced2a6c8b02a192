import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { checkSeries, complaints, FIELDS, namesOf, parsePatch } from "../tools/series.ts";
import { openTree, patchTree } from "../tools/tree.ts";
import { needPackages } from "./setup.ts";

const good = `From: A <a@b.invalid>
Date: Tue, 24 Nov 2026 00:00:00 +0000
Subject: [PATCH] x86/boot: do one thing

${"The situation, the reason and the effect are told here, in whole sentences. ".repeat(3)}

Why: it is needed
Upstream: not sent
Drop-when: never
Proved-by: layout
Signed-off-by: A <a@b.invalid>
---
 xen/a.c | 1 +

--- a/xen/a.c
+++ b/xen/a.c
@@ -1 +1,2 @@
 a
+b
`;
const said = (text: string, name = "0101-one.patch") => complaints([parsePatch(name, name, text)], [name]);

describe("the headers of a patch", () => {
  it("are accepted when they are whole", () => {
    expect(said(good)).toEqual([]);
  });

  it.each(FIELDS)("are sent back without %s", (field) => {
    expect(said(good.replace(new RegExp(`^${field}: .*\n`, "m"), ""))).toEqual([
      `0101-one.patch: the header field ${field}: is missing`,
    ]);
  });

  it("are sent back without a body, a sign-off, an area, or with a wrong name", () => {
    expect(said(good.replace(/^The situation.*$/m, "Short."))[0]).toContain("situation, reason and effect");
    expect(said(good.replace(/^Signed-off-by.*\n/m, ""))[0]).toContain("Signed-off-by: is missing");
    expect(said(good.replace("x86/boot: do", "Do"))[0]).toContain("area: what it does");
    expect(said(good, "one.patch")[0]).toContain("is not named");
  });

  it("are sent back with blanks that Xen's style has none of, file by file", () => {
    const kconfig = "--- a/xen/Kconfig\n+++ b/xen/Kconfig\n@@ -1 +1,2 @@\n a\n+\tbool\n";
    expect(said(good + kconfig)).toEqual([]);
    expect(said(good.replace("+b", "+\tb") + kconfig)).toEqual(['0101-one.patch: a tab in "+\tb"']);
    expect(said(good.replace("+b", "+b "))[0]).toContain("white space at the end");
  });

  it("a file that is not in the series is named", () => {
    const patch = parsePatch("0101-one.patch", "0101-one.patch", good);
    expect(complaints([patch], ["0101-one.patch", "0102-lost.patch"])).toEqual([
      "0102-lost.patch: lies in patches/ but not in series",
    ]);
  });

  it("any text at all is read without an error", () => {
    fc.assert(fc.property(fc.string(), (text) => said(text).length > 0 && namesOf(text).every((name) => name !== "")));
  });
});

describe("the series", () => {
  beforeAll(needPackages);

  it("has nothing that a maintainer would send back unread", async () => {
    const { patches, found } = await checkSeries();
    expect(found).toEqual([]);
    expect(patches.length).toBeGreaterThan(10);
  });

  it("applies to the pinned Xen without fuzz, and comes off again", async () => {
    const { patches } = await checkSeries();
    const tree = await openTree();
    await patchTree(tree, []);
    await patchTree(tree, patches);
    await patchTree(tree, patches.slice(0, 3));
    await patchTree(tree, patches);
  });
});
