/** A copy of the header that the agent's confinement hides is not taken for one that is gone. The mounts are those that
 *  systemd makes for the unit, in a namespace of the test's own. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { missing } from "../gate/packages.ts";
import { QUICK } from "./volume.ts";

const WIPE = fileURLToPath(new URL("hidden.ts", import.meta.url));
const without = missing("cryptsetup", "wipefs", "unshare");

describe.skipIf(without !== null)("a wipe under the unit's confinement", () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-hidden-"));
    for (const name of ["home/anna", "systemd/inaccessible/dir", `systemd-private-${"0".repeat(32)}-x.service-1/tmp`])
      mkdirSync(at(name), { recursive: true });
    mkdirSync(at("empty"), { mode: 0o755 });
    writeFileSync(at("volume"), "");
    truncateSync(at("volume"), 32 * 1024 * 1024);
    execFileSync("cryptsetup", ["luksFormat", "--batch-mode", ...QUICK, "--key-file", "-", at("volume")], {
      input: "the pass phrase",
    });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const backUp = (path: string) =>
    execFileSync("cryptsetup", ["luksHeaderBackup", at("volume"), "--header-backup-file", path]);
  /** What is mounted first, and which copy is named. */
  function wipe(mounts: string, copy: string) {
    const script = `set -e\n${mounts}\nexec "$NODE" --disable-warning=ExperimentalWarning "$WIPE" "$VOLUME" "$COPY"`;
    const ran = spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
      encoding: "utf8",
      cwd: folder,
      env: { ...process.env, NODE: process.execPath, WIPE, VOLUME: at("volume"), COPY: copy },
    });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    return JSON.parse(ran.stdout) as {
      outcome: string;
      whole: boolean;
      reason: string;
      beyond?: string[];
      after?: string[];
    };
  }
  const opensBy = (copy: string) =>
    spawnSync("cryptsetup", ["open", "--test-passphrase", "--header", copy, "--key-file", "-", at("volume")], {
      input: "the pass phrase",
    }).status === 0;

  it.each<[string, string, string, RegExp]>([
    ["ProtectHome", "mount --bind systemd/inaccessible/dir home", "home/h.img", /hidden from the agent/],
    ["ProtectHome, deeper", "mount --bind systemd/inaccessible/dir home", "home/anna/h.img", /no folder .* can see/],
    ["ProtectHome=tmpfs", "mount -t tmpfs -o ro none home", "home/h.img", /hidden from the agent/],
    ["PrivateTmp", "mount --bind systemd-private-*/tmp home", "home/h.img", /hidden from the agent/],
    ["a file system of the unit's own", "mount -t tmpfs none home", "home/h.img", /hidden from the agent/],
    ["another empty folder", "mount --bind empty home", "home/h.img", /hidden from the agent/],
    ["a link", "mount --bind systemd/inaccessible/dir home", "link.img", /a link to what the agent cannot see/],
    ["ProtectSystem", "mount --bind home home\nmount -o remount,bind,ro home", "home/h.img", /read-only file system/i],
  ])("does not call a copy absent that is behind %s", (_name, mounts, copy, why) => {
    const kept = copy === "link.img" ? "home/h.img" : copy;
    if (copy === "link.img") execFileSync("ln", ["-s", at(kept), at(copy)]);
    backUp(at(kept));
    const found = wipe(mounts, at(copy));
    expect(found).toMatchObject({ outcome: "failed", whole: false, reason: expect.stringMatching(why) });
    // told before anybody orders a wipe; a link is found out by following it
    if (copy !== "link.img") expect(found.beyond).toEqual([expect.stringContaining(at(copy))]);
    expect(opensBy(at(kept))).toBe(true);
  });

  it("is whole where the copy was all there is in a folder that the unit may write", async () => {
    backUp(at("home/h.img"));
    rmSync(at("home/anna"), { recursive: true });
    // ReadWritePaths: the folder is a mount of its own, of the machine's own
    const found = wipe("mount --bind home home", at("home/h.img"));
    expect(found).toMatchObject({ outcome: "done", whole: true });
    expect([found.beyond, found.after]).toEqual([undefined, undefined]);
    expect(existsSync(at("home/h.img"))).toBe(false);
  });

  it("is not whole once what it found was a stand-in's own file", async () => {
    backUp(at("home/h.img"));
    const stands = `systemd-private-${"0".repeat(32)}-x.service-1/tmp/h.img`;
    writeFileSync(at(stands), "of the same name");
    const found = wipe("mount --bind systemd-private-*/tmp home", at("home/h.img"));
    expect(found).toMatchObject({ outcome: "failed", whole: false, reason: expect.stringMatching(/hidden from/) });
    expect(opensBy(at("home/h.img"))).toBe(true);
  });

  it("is whole where it sees the copy, and where a folder that it sees has none", async () => {
    backUp(at("home/h.img"));
    const found = wipe("", at("home/h.img"));
    expect(found).toMatchObject({ outcome: "done", whole: true });
    expect(found.beyond).toBeUndefined();
    expect(existsSync(at("home/h.img"))).toBe(false);
    const disk = cryptsetupDisk(realDom0);
    expect(await disk.remove(at("home/h.img"))).toBe("absent");
    expect(await disk.faultOfReach(at("nowhere/h.img"))).toMatch(/no folder .*nowhere that the agent can see/);
  });
});
