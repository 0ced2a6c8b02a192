import { expect, it } from "vitest";
import { archiveOf } from "../tools/sources.ts";
import { type Upstream, whyNone } from "../tools/upstream.ts";

const DEB822 = `Types: deb
# a remark
URIs: http://archive.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://archive.invalid/debian-security
Suites: bookworm-security
Components: main
`;

it("trixie comes from the archive that serves this machine's own release", () => {
  expect(archiveOf(DEB822, "bookworm", "trixie")).toEqual({
    mirror: "http://archive.invalid/debian",
    suite: "trixie",
    keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
  });
});

it("sources of one line each are understood, with and without options", () => {
  const lines = [
    "# deb http://old.invalid/debian bookworm main",
    "deb https://vendor.invalid/x nodistro main",
    "deb [arch=amd64 signed-by=/k.gpg] https://archive.invalid/debian/ bookworm main contrib",
  ].join("\n");
  expect(archiveOf(lines, "bookworm", "trixie")).toEqual({
    mirror: "https://archive.invalid/debian",
    suite: "trixie",
    keyring: "/k.gpg",
  });
  expect(archiveOf("deb http://archive.invalid/debian stable main", "", "trixie")?.keyring).toBeUndefined();
});

it("a source that is switched off, or another vendor's, is no archive", () => {
  expect(
    archiveOf(DEB822.replace("Types: deb\n#", "Enabled: no\nTypes: deb\n#"), "bookworm", "trixie"),
  ).toBeUndefined();
  expect(archiveOf("deb https://vendor.invalid/x nodistro main", "bookworm", "trixie")).toBeUndefined();
});

it("a mirror that does not answer is told from one that has no file", () => {
  const versions = [{ version: "4.20.3" }] as Upstream[];
  const refused = "E: Failed to fetch http://m.invalid/x.xz  Could not connect to 127.0.0.1:9 (127.0.0.1).";
  const unknown = "E: Failed to fetch http://m.invalid/x.xz  Temporary failure resolving 'm.invalid'";
  const gone = "E: Failed to fetch http://m.invalid/x.xz  404  Not Found";
  expect(whyNone(versions, [refused])).toContain("cannot be reached");
  expect(whyNone(versions, [refused, unknown])).toContain("(4.20.3) are not whole in the cache");
  for (const said of [[gone], [refused, gone]])
    expect(whyNone(versions, said)).toContain("first in packages/hv-patches/upstream.json");
});
