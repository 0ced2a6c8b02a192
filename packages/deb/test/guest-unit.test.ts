/** The unit that guests are started in, by a real systemd and a stand-in for xl: what the agent's dom0/guest-unit.ts counts on. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const CGROUPS = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/systemd";
const isRoot = process.getuid?.() === 0;
const has = existsSync("/lib/systemd/systemd") && existsSync("/usr/bin/unshare");
if (!has && process.env.CI) throw new Error("absent: sudo apt-get install systemd util-linux");
if (!has || !isRoot)
  process.stderr.write(`left out: ${has ? "a namespace needs root" : "sudo apt-get install systemd util-linux"}\n`);

it.runIf(has && isRoot)(
  "a guest's unit lives as long as what xl leaves behind, takes nothing from it, and is begun anew or joined",
  async () => {
    const script = join(import.meta.dirname, "guest-unit.sh");
    const group = join(CGROUPS, `sallyport-guest-unit-${process.pid}`);
    const units = join(import.meta.dirname, "../debian");
    const args = ["--mount", "--propagation", "private", script, units, group];
    // what is left of it is no fault of the unit's, and would hide what is
    const { stdout } = await run("unshare", args, { timeout: 120_000 }).finally(() =>
      run("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]).catch(() => {}),
    );
    expect(stdout.trimEnd().split("\n")).toEqual([
      "started: active, asked 1, monitors 1",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a name that systemd must not take for its own
      "xl was told: create -q -f /etc/xen/win-11 ${HOME}.cfg",
      "joined: active, asked 1, monitors 1",
      "stopped: inactive, asked 1, monitors 1",
      "anew beside what is left: active, asked 2, monitors 2",
      "anew while it counts as active: active, asked 3, monitors 3",
      "after the guest has ended: inactive, asked 3, monitors 0",
      "refused: failed, asked 4, monitors 0",
    ]);
  },
  180_000,
);
