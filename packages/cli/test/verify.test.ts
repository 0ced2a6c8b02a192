import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTrail, type Trail, writeExport } from "./trail.ts";

const BIN = fileURLToPath(new URL("../bin/sallyport.mjs", import.meta.url));
const SIZE = 700;

function sallyport(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

describe("sallyport verify", () => {
  let folder: string;
  let trail: Trail;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-verify-"));
    trail = makeTrail(SIZE);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function exported(name: string, size = SIZE): string {
    const path = join(folder, name);
    writeExport(trail, path, size);
    return path;
  }

  it("finds an untouched export whole, and says that its key is trusted on first sight", () => {
    const { status, out } = sallyport("verify", exported("whole"));
    expect(out).toContain(`Whole: ${SIZE} records of ${trail.origin}`);
    expect(out).toContain("trusted on first sight");
    expect(status).toBe(0);
  });

  it("does not speak of first sight where the key is given", () => {
    const { status, out } = sallyport("verify", exported("keyed"), "--vkey", trail.vkey);
    expect(out).not.toContain("first sight");
    expect(status).toBe(0);
  });

  it("reads a pack made by any tar", () => {
    const path = exported("packed");
    execFileSync("tar", ["--format=ustar", "-cf", `${path}.tar`, "-C", path, ...readdirSync(path)]);
    // folders are no plain files: a pack has none
    expect(sallyport("verify", `${path}.tar`).status).toBe(1);
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const names = files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
    execFileSync("tar", ["--format=ustar", "-cf", `${path}.tar`, "-C", path, ...names]);
    expect(sallyport("verify", `${path}.tar`)).toMatchObject({ status: 0, err: "" });
  });

  it.each(["tile/entries/001", "tile/0/000", "tile/1/000.p/2", "contents/002.p/188", "checkpoint"])(
    "refuses an export with one byte changed in %s",
    (name) => {
      const path = exported(`changed-${name.replaceAll("/", "-")}`);
      const bytes = readFileSync(join(path, name));
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(join(path, name), bytes);
      const { status, out } = sallyport("verify", path);
      expect(out).toContain("NOT WHOLE");
      expect(status).toBe(3);
    },
  );

  it("refuses an export with a tile missing", () => {
    const path = exported("missing");
    rmSync(join(path, "tile/0/001"));
    expect(sallyport("verify", path)).toMatchObject({ status: 3 });
  });

  it("finds a cut tail only by a checkpoint that someone kept", () => {
    const path = exported("cut", 600);
    const kept = join(folder, "kept");
    writeFileSync(kept, trail.checkpoint(650));
    expect(sallyport("verify", path).status).toBe(0);
    const { status, out } = sallyport("verify", path, "--checkpoint", kept);
    expect(out).toContain("the older checkpoint covers 650 records, this export ends at 600");
    expect(status).toBe(3);
  });

  it("proves by an older checkpoint that nothing before it changed", () => {
    const kept = join(folder, "kept-256");
    for (const size of [1, 255, 256, 257, SIZE]) {
      writeFileSync(kept, trail.checkpoint(size));
      const { status, out } = sallyport("verify", exported("older"), "--checkpoint", kept);
      expect(out).toContain(`The older checkpoint's ${size} records are all here and unchanged.`);
      expect(status).toBe(0);
    }
  });

  it("refuses history that was written anew under the same key", () => {
    const other = { ...makeTrail(SIZE), origin: trail.origin, vkey: trail.vkey };
    const rewritten: Trail = { ...trail, entries: other.entries, contents: other.contents };
    const path = join(folder, "rewritten");
    writeExport(rewritten, path);
    expect(sallyport("verify", path)).toMatchObject({ status: 3 });
  });

  it("refuses another trail's key and another trail's checkpoint", () => {
    const other = makeTrail(3);
    const kept = join(folder, "others");
    writeFileSync(kept, other.checkpoint(2));
    const path = exported("others-key");
    expect(sallyport("verify", path, "--vkey", other.vkey)).toMatchObject({ status: 3 });
    expect(sallyport("verify", path, "--checkpoint", kept)).toMatchObject({ status: 3 });
  });

  it("counts contents that are not here, and still finds the trail whole", () => {
    const path = exported("erased");
    const name = join(path, "contents/000");
    writeFileSync(name, readFileSync(name, "utf8").split("\n").slice(5).join("\n"));
    const report = JSON.parse(sallyport("verify", path, "--json").out);
    expect(report).toMatchObject({
      whole: true,
      size: SIZE,
      contents: { present: SIZE - 5, absent: 5, namedInGaps: 0 },
    });
    const { status, out } = sallyport("verify", path);
    expect(status).toBe(0);
    expect(out).toContain("NOT ACCOUNTED FOR: the contents of 5 records are not in this export");
    expect(sallyport("verify", path, "--require-contents")).toMatchObject({ status: 3 });
    expect(sallyport("verify", exported("all-there"), "--require-contents")).toMatchObject({ status: 0 });
  });

  it("accounts for sealed recovery keys that went with a volume, and for nothing else that went", () => {
    // two keys and a line before the wipe, one key after it
    const kinds = { 3: "disk.recovery", 5: "disk.recovery", 9: "disk.wiped", 12: "disk.recovery" };
    const wiped = makeTrail(20, undefined, kinds);
    const without = (gone: number[]) => {
      const path = join(folder, `wiped-${gone.join("-")}`);
      writeExport(wiped, path);
      const name = join(path, "contents/000.p/20");
      const lines = readFileSync(name, "utf8").split("\n");
      writeFileSync(name, lines.filter((_, at) => !gone.includes(at)).join("\n"));
      return path;
    };
    const { status, out } = sallyport("verify", without([3, 5]), "--require-contents");
    expect([status, out]).toEqual([
      0,
      expect.stringContaining("2 were sealed recovery keys, destroyed with a volume that was wiped"),
    ]);
    for (const gone of [[3, 4], [12], [3, 9]])
      expect(sallyport("verify", without(gone), "--require-contents")).toMatchObject({ status: 3 });
  });

  it("tells its own errors from an answer of no", () => {
    expect(sallyport("verify", join(folder, "nowhere"))).toMatchObject({
      status: 1,
      err: expect.stringContaining("there is no such file or folder"),
    });
    expect(sallyport("verify").status).toBe(1);
    expect(sallyport("nonsense").status).toBe(1);
    expect(sallyport("--help").status).toBe(0);
  });
});
