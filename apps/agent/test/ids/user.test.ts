/** The real Suricata as the user that the package gives it: it sees the wire and answers, and owns nothing of the agent's. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectorYaml } from "../../src/appliers/ids-yaml.ts";
import { type Detector, suricata } from "../../src/dom0/detector.ts";
import { asUser } from "../../src/dom0/detector-place.ts";
import { logFiles } from "../../src/dom0/log-files.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { type Namespaces, unable } from "../network/namespaces.ts";
import { guestOnBridge } from "./bridge.ts";
import { realSuricata } from "./suricata.ts";

const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const USER = { uid: 65_534, gid: 65_534 };
const RULES = 'alert udp any any -> any 5000 (msg:"probe"; content:"sallyport"; sid:1000001; rev:1;)\n';
const SEND = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"a sallyport", ("10.1.0.1", 5000))`;

describe.skipIf(absent)("the detector as a user of its own", { timeout: 300_000 }, () => {
  let root: string;
  let folder: string;
  let spaces: Namespaces;
  let program: string[];
  let detector: Detector;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "sallyport-ids-user-"));
    execFileSync("chmod", ["711", root]);
    mkdirSync(join(root, "state"), { mode: 0o700 });
    writeFileSync(join(root, "state/trail.key"), "secret");
    folder = join(root, "ids");
    const real = (await realSuricata())!;
    program = real.program;
    spaces = await guestOnBridge();
    detector = suricata(realDom0, { folder, program, user: USER });
    const { classification, reference } = real;
    const config = { interface: "xenbr0", folder, addresses: ["10.1.0.2"], threads: 2, classification, reference };
    for (const aside of [true, false]) {
      await detector.write("suricata.yaml", detectorYaml(config, {}, aside), aside);
      await detector.write("detector.rules", RULES, aside);
      await detector.write("threshold.config", "", aside);
    }
  });
  afterAll(async () => {
    await spaces?.remove();
    if (root) rmSync(root, { recursive: true, force: true });
  });

  it("can be tested, with files that it cannot change and folders that it cannot make files in", async () => {
    expect(await detector.test()).toMatchObject({ ok: true });
    const modes = (path: string) => {
      const { mode, uid, gid } = statSync(join(folder, path));
      return [(mode & 0o777).toString(8), uid, gid];
    };
    for (const path of [".", "aside", "log"]) expect([path, ...modes(path)]).toEqual([path, "750", 0, USER.gid]);
    for (const path of ["run", "aside/log"]) expect([path, ...modes(path)]).toEqual([path, "750", USER.uid, USER.gid]);
    for (const path of ["suricata.yaml", "detector.rules", "aside/suricata.yaml"])
      expect([path, ...modes(path)]).toEqual([path, "640", 0, USER.gid]);
    const [setpriv = "", ...as] = asUser(USER);
    const tried = [
      "cat state/trail.key",
      "ln -s /etc/shadow ids/log/x",
      "mv ids/suricata.yaml ids/y",
      "echo x >> ids/detector.rules",
    ];
    for (const command of tried)
      expect(() => execFileSync(setpriv, [...as, "sh", "-c", command], { cwd: root, stdio: "pipe" })).toThrow(
        /Permission denied/,
      );
  });

  it("sees the guests' wire with the two privileges that its unit has, writes its events and answers", async () => {
    const [setpriv = "", ...as] = asUser(USER);
    const kept = as.map((each) => (each === "--inh-caps=-all" ? "--inh-caps=-all,+net_raw,+net_admin" : each));
    const run = [...program, "-c", join(folder, "suricata.yaml"), "--af-packet", "-l", join(folder, "run")];
    const child = spaces.spawn("dom0", setpriv, [...kept, "--ambient-caps=-all,+net_raw,+net_admin", ...run]);
    const until = async (holds: () => Promise<boolean>, what: string) => {
      for (const began = Date.now(); !(await holds()); await delay(50))
        if (Date.now() - began > 120_000) throw new Error(`never came true: ${what}`);
    };
    const answers = () =>
      detector.ask("ruleset-stats").then(
        (stats) => JSON.stringify(stats),
        () => "",
      );
    await until(async () => (await answers()).includes('"rules_loaded":1'), "it answers");
    const events = () =>
      existsSync(join(folder, "log/eve.json")) ? readFileSync(join(folder, "log/eve.json"), "utf8") : "";
    await until(async () => {
      await spaces.run("guest", "/usr/bin/python3", "-c", SEND);
      return events().includes('"signature_id":1000001');
    }, "the alert is written");
    expect(statSync(join(folder, "log/eve.json")).uid).toBe(USER.uid);
    // moved aside as the agent does it, the next one is made for it, and it goes on there
    await logFiles.turn(join(folder, "log/eve.json"), join(folder, "log/eve.json.1"));
    await detector.ask("reopen-log-files");
    await until(async () => {
      await spaces.run("guest", "/usr/bin/python3", "-c", SEND);
      return events().includes('"signature_id":1000001');
    }, "the alert is written to the next file");
    expect(statSync(join(folder, "log/eve.json"))).toMatchObject({ uid: USER.uid, gid: USER.gid });
    await detector.ask("shutdown");
    await until(async () => child.exitCode !== null || child.signalCode !== null, "it ends");
  });
});
