/** What the pages for people name is there: pages, headings, files, settings. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./install.mjs";

const DOCS = join(ROOT, "docs");
const pages = [
  join(ROOT, "README.md"),
  join(ROOT, "ARCHITECTURE.md"),
  join(ROOT, "packages/hv-patches/README.md"),
  ...[DOCS, join(DOCS, "decisions"), join(ROOT, "packages/hv-patches/docs")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  ),
];
const textOf = (path: string) => readFileSync(path, "utf8");
const prose = (text: string) => text.replaceAll(/^```[\s\S]*?^```$/gm, "");
const named = (path: string) => relative(ROOT, path);

/** As GitHub makes a heading's anchor. */
const anchors = (text: string) =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

test("no page has what a merge leaves where two sides differ", () => {
  expect(pages.filter((page) => /^(?:<{7}|>{7}) /m.test(textOf(page))).map(named)).toEqual([]);
});

test("each link leads to a page that is there, and to a heading in it", () => {
  const broken = pages.flatMap((page) =>
    [...prose(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, to]) => to!)
      .filter((to) => !/^(?:https?|mailto):/.test(to))
      .filter((to) => {
        const [path = "", anchor] = to.split("#");
        const file = path === "" ? page : join(dirname(page), path);
        if (!existsSync(file)) return true;
        return anchor !== undefined && !anchors(textOf(file)).includes(anchor);
      })
      .map((to) => `${named(page)} → ${to}`),
  );
  expect(broken).toEqual([]);
});

test("each file of the tree that a page names is there", () => {
  const absent = pages.flatMap((page) =>
    [
      ...textOf(page).matchAll(
        /`((?:apps|packages|e2e|tools|docs|deploy|prisma)\/[\w./-]+\.(?:ts|tsx|mjs|md|py|json|yaml))`/g,
      ),
    ]
      .map(([, path]) => path!)
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `${named(page)} → ${path}`),
  );
  expect(absent).toEqual([]);
});

test("docs/README.md leads to every page of docs", () => {
  const index = textOf(join(DOCS, "README.md"));
  const left = readdirSync(DOCS).filter(
    (name) => name.endsWith(".md") && name !== "README.md" && !index.includes(`](${name}`),
  );
  expect(left).toEqual([]);
});

test("each setting of the environment that the console's programs read stands in docs/operations.md or in what it installs", () => {
  const texts = ["docs/operations.md", "deploy/systemd/environment.example"].map((path) => textOf(join(ROOT, path)));
  const sources = ["packages/up/src", "apps/web/src"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.tsx?$/.test(path) && !path.includes("generated") && !/\.test\.tsx?$/.test(path))
      .map((path) => textOf(join(ROOT, folder, path))),
  );
  const read = new Set(sources.flatMap((text) => text.match(/\bSALLYPORT_[A-Z_]+\b/g) ?? []));
  read.delete("SALLYPORT_TOKEN"); // the command line's: the Account page speaks of it
  expect([...read].filter((name) => !texts.some((text) => text.includes(name))).sort()).toEqual([]);
});

test("each page that a program's own sentences name is there", () => {
  const absent = [
    "apps/agent/src",
    "apps/web/src",
    "packages/cli/src",
    "packages/shared/src",
    "packages/up/src",
  ].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.tsx?$/.test(path) && !path.includes("generated"))
      .flatMap((path) =>
        [...textOf(join(ROOT, folder, path)).matchAll(/\bdocs\/[\w/-]+\.md\b/g)]
          .filter(([page]) => !existsSync(join(ROOT, page)))
          .map(([page]) => `${folder}/${path} → ${page}`),
      ),
  );
  expect(absent).toEqual([]);
});

test("what the README has one write into the clone, keys among it, is in no commit by accident", () => {
  const written = [...textOf(join(ROOT, "README.md")).matchAll(/^npx sallyport (?:export .*--out|backup) (\S+)$/gm)];
  const folders = written.map(([, folder]) => folder!);
  expect(folders).toEqual(["evidence", "sallyport-backup"]);
  const listed = spawnSync("git", ["check-ignore", ...folders.map((each) => `${each}/`)], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(listed.stdout.trim().split("\n")).toEqual(folders.map((each) => `${each}/`));
});
