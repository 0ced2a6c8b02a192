/** From a policy on the console to a packet that is dropped, and from that packet to a record on the console. The agent is
 *  a process of its own; the programs it runs are led into a namespace, so that this machine's own rules are let be. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enrolMachine, stop, stopAll, until } from "../core/agent.ts";
import { type Console, startConsole } from "../core/console.ts";
import { unable } from "./namespaces.ts";
import { MAC, makeWire, type Wire } from "./wire.ts";

const absent = await unable("nft", "ip", "python3", "ulogd");
let folder: string;
let wire: Wire;
let console: Console;
beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-network-thread-"));
  wire = await makeWire();
  for (const [name, program] of [
    ["env", "/usr/bin/env"],
    ["ip", "/usr/sbin/ip"],
    ["cat", "/usr/bin/cat"],
  ] as const) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\nexec /usr/sbin/ip netns exec ${wire.spaces.of("dom0")} ${program} "$@"\n`);
    chmodSync(path, 0o755);
  }
  console = await startConsole();
}, 300_000);
afterAll(async () => {
  stopAll();
  await console?.stop();
  await wire?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(absent)("a workstation with a firewall", () => {
  it("enforces the group's section, reports that it does, and sends a record of each drop it logs", async () => {
    const drops = join(folder, "drops.json");
    const machine = await enrolMachine(console, {
      ulogd: [drops],
      firewall: {
        wire: "routed",
        vifs: [{ name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2", "fd00:1::2"] }],
      },
    });
    const path = process.env.PATH;
    process.env.PATH = `${folder}:${path}`;
    const child = machine.start();
    process.env.PATH = path;
    const section = () => console.reported.get(machine.workstation)?.sections.network;
    // before any policy the strict defaults hold
    await until("the default is in force", () => section()?.outcome === "applied", machine, 120_000);
    console.publishPolicy(machine.workstation, {
      network: {
        otherwise: "allow",
        rules: [{ name: "no names", verdict: "block", protocol: "udp", ports: ["53"] }],
      },
      agent: { reportSeconds: 5 },
    });
    const table = () => wire.spaces.run("dom0", "nft", "list", "table", "inet", "sallyport");
    await until("the section is in force", async () => (await table()).includes('"rule 1 no names"'), machine, 120_000);
    const isHeard = () =>
      section()?.outcome === "applied" && !section()?.reason?.includes("Nobody reads the log of drops");
    await until("it is reported, while nobody reads its drops", () => !isHeard(), machine);
    expect(existsSync(join(machine.state, "network.nft"))).toBe(true);

    // the very file that the package installs
    const conf = readFileSync(new URL("../../../../packages/deb/debian/ulogd.conf", import.meta.url), "utf8")
      .replace("/var/log/sallyport-agent/drops.json", drops)
      .replace("/var/log/sallyport-agent/ulogd.log", join(folder, "ulogd.log"));
    writeFileSync(join(folder, "ulogd.conf"), conf);
    wire.spaces.spawn("dom0", "ulogd", ["-c", join(folder, "ulogd.conf")]);
    let token = 10_000;
    await until(
      "the drop is on the console",
      async () => {
        const own = token++;
        const order = { family: 4, protocol: "udp", source: "10.1.0.2", to: "192.0.2.1", port: 53, token: own };
        await wire.peers.guest.ask({ act: "send", ...order });
        await wire.peers.guest.ask({ act: "close", token: own });
        return console.records("net.drop").some(({ content }) => content?.body.rule === "rule 1 no names");
      },
      machine,
      120_000,
    );
    await until("it is reported with nothing missing", isHeard, machine, 120_000);
    await stop(child);
    // its rules outlive it
    expect(await table()).toContain('"rule 1 no names"');
  }, 600_000);
});
