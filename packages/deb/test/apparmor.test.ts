/** AppArmor, which Debian has on where it is installed: what its rules say of the programs that the agent drives. The rules
 *  themselves are read, since no kernel that the tests run on enforces any. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { archive, privateApt } from "../../hv-patches/tools/debian.ts";
import { archiveHas } from "./root.ts";

const CLAMD = "/etc/apparmor.d/usr.sbin.clamd";

it.skipIf(!existsSync(CLAMD))("clamd may read the definitions and do what the reader asks, by its own rules", () => {
  const rules = readFileSync(CLAMD, "utf8");
  // where a policy's definitions lie and its tray; where they are tested, and what comes over its socket it writes
  for (const [path, may] of [
    ["/var/lib/clamav/\\*\\*", "r"],
    ["/tmp/\\*\\*", "rw"],
  ] as const)
    expect(rules).toMatch(new RegExp(`^\\s*${path}\\s+\\w*${may}\\w*,`, "m"));
  expect(rules).toMatch(/^\s*\/\{,var\/\}run\/clamav\/clamd\.ctl\s+\w*w\w*,/m);
});

describe.runIf(await archiveHas("trixie"))("trixie's own profiles", () => {
  let work: string;
  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), "sallyport-apparmor-"));
    const options = await privateApt({ ...(await archive()), suite: "trixie" }, join(work, "apt"));
    execFileSync("apt-get", [...options, "download", "apparmor"], { cwd: work, stdio: "pipe" });
    const deb = readdirSync(work).find((name) => name.endsWith(".deb"))!;
    execFileSync("dpkg-deb", ["-x", join(work, deb), join(work, "tree")]);
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it("are none of the sandbox, the detector, or what else the agent starts", () => {
    const folder = join(work, "tree/etc/apparmor.d");
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(20);
    const heads = files.flatMap(({ name }) =>
      readFileSync(join(folder, name), "utf8")
        .split("\n")
        .filter((line) => /^\s*(profile\s|["/@].*\{\s*$)/.test(line)),
    );
    expect(heads.join("\n")).toMatch(/\/flatpak\b/);
    const ours = /\/(?:bwrap|suricata|ulogd|nft|xl|prlimit|setpriv|cryptsetup|udevadm|sallyport-agent)\b|\/node\b/;
    expect(heads.filter((line) => ours.test(line))).toEqual([]);
  });
});
