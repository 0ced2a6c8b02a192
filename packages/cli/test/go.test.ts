import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTrail, writeExport } from "./trail.ts";

const MAIN = fileURLToPath(new URL("./go/main.go", import.meta.url));
const MISSING = ["/usr/bin/go", "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"].filter(
  (path) => !existsSync(path),
);
const GET = "Go's tlog packages are absent: sudo apt-get install golang-go golang-golang-x-mod-dev";

if (MISSING.length > 0 && process.env.CI === "true") throw new Error(GET);
if (MISSING.length > 0) console.warn(GET);

describe.runIf(MISSING.length === 0)("Go's own sumdb packages", () => {
  let folder: string;
  let program: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-go-"));
    program = join(folder, "check");
    const env = {
      ...process.env,
      GO111MODULE: "off",
      GOPATH: "/usr/share/gocode",
      GOCACHE: join(folder, "cache"),
      GOFLAGS: "",
    };
    execFileSync("/usr/bin/go", ["build", "-o", program, MAIN], { env, stdio: "pipe" });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const check = (path: string) => spawnSync(program, [path], { encoding: "utf8" });

  it.each([1, 256, 700])("accept an exported trail of %d records", (size) => {
    const path = join(folder, `whole-${size}`);
    writeExport(makeTrail(size), path);
    expect(check(path)).toMatchObject({ stdout: `ok ${size}\n`, status: 0 });
  });

  it.each(["checkpoint", "tile/0/000", "tile/entries/001", "tile/1/000.p/2"])(
    "refuse it after one byte of %s changed",
    (name) => {
      const path = join(folder, `changed-${name.replaceAll("/", "-")}`);
      writeExport(makeTrail(700), path);
      const bytes = readFileSync(join(path, name));
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(join(path, name), bytes);
      expect(check(path).status).not.toBe(0);
    },
  );
});
