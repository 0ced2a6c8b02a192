/** The package's ulogd as the user that its unit gives it: with the one privilege, and two files that are there already. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asUser } from "../../../apps/agent/src/dom0/detector-place.ts";
import { makeNamespaces, type Namespaces, unable } from "../../../apps/agent/test/network/namespaces.ts";

const CONF = fileURLToPath(new URL("../debian/ulogd.conf", import.meta.url));
const USER = { uid: 65_534, gid: 65_534 };
const absent = await unable("ip", "nft", "ulogd");

describe.skipIf(absent)("what writes down the firewall's drops", () => {
  let root: string;
  let spaces: Namespaces;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "sallyport-drops-"));
    chmodSync(root, 0o755);
    mkdirSync(join(root, "log"));
    for (const name of ["drops.json", "ulogd.log"]) {
      writeFileSync(join(root, "log", name), "");
      chownSync(join(root, "log", name), USER.uid, USER.gid);
    }
    writeFileSync(
      join(root, "ulogd.conf"),
      readFileSync(CONF, "utf8").replaceAll("/var/log/sallyport-agent", join(root, "log")),
    );
    spaces = await makeNamespaces(["dom0"]);
    await spaces.ip("dom0", "link set lo up");
    await spaces.run(
      "dom0",
      "nft",
      "add table inet t; add chain inet t out { type filter hook output priority 0; }; add rule inet t out udp dport 5000 log group 5 drop",
    );
  });
  afterAll(async () => {
    await spaces?.remove();
    if (root) rmSync(root, { recursive: true, force: true });
  });

  it("needs no root and no folder of its own", async () => {
    const [setpriv = "", ...as] = asUser(USER).map((each) =>
      each === "--inh-caps=-all" ? "--inh-caps=-all,+net_admin" : each,
    );
    const run = ["--ambient-caps=-all,+net_admin", "/usr/sbin/ulogd", "-c", join(root, "ulogd.conf")];
    const child = spaces.spawn("dom0", setpriv, [...as, ...run]);
    const send = `exec 3<>/dev/udp/127.0.0.1/5000; echo x >&3`;
    const drops = () => readFileSync(join(root, "log/drops.json"), "utf8");
    for (
      const began = Date.now();
      !drops().includes('"dest_port": 5000') && !drops().includes('"dest_port":5000');
      await delay(50)
    ) {
      if (Date.now() - began > 30_000)
        throw new Error(
          `nothing came: ${drops()} ${readFileSync(join(root, "log/ulogd.log"), "utf8")} ${child.exitCode}`,
        );
      await spaces.run("dom0", "bash", "-c", send).catch(() => {});
    }
    expect(statSync(join(root, "log")).uid).toBe(0);
    expect(existsSync(join(root, "log/drops.json.1"))).toBe(false);
    child.kill("SIGTERM");
  });
});
