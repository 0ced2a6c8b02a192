/** `scan` as a person calls it: exit codes, JSON, words, policy files, errors. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClamdServer, EICAR, startClamd } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";

const absent = missing("clamd", "bwrap");
const PROGRAM = `
  import { Command } from "commander";
  import { scanCommand } from "./src/gate/command.ts";
  const program = new Command().name("sallyport-agent").exitOverride((error) => process.exit(error.exitCode));
  scanCommand(program);
  await program.parseAsync(process.argv.slice(1), { from: "user" });
`;

describe.skipIf(absent !== null)("sallyport-agent scan", () => {
  let clamd: ClamdServer;
  let work: string;
  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), "sallyport-command-"));
    clamd = await startClamd();
    layOut(join(work, "clean"), { "a.txt": "a" });
    layOut(join(work, "bad"), { "a.txt": "a", "evil\u001b[2J.com": EICAR });
    layOut(join(work, "cut"), { "cut.zip": Buffer.from("PK\u0003\u0004 and no more") });
  });
  afterAll(async () => {
    await clamd?.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const call = (...args: string[]) => {
    const ran = spawnSync(
      process.execPath,
      ["--input-type=module", "-e", PROGRAM, "--", "scan", "--clamd-conf", clamd.conf, ...args],
      {
        cwd: join(import.meta.dirname, "../.."),
        encoding: "utf8",
      },
    );
    return { code: ran.status, out: ran.stdout, err: ran.stderr };
  };

  it("exits 0, 3 or 4 by its verdict and prints one body as JSON", () => {
    for (const [folder, code, verdict] of [
      ["clean", 0, "allow"],
      ["bad", 3, "block"],
      ["cut", 4, "hold"],
    ] as const) {
      const { code: exit, out, err } = call(join(work, folder), "--json");
      expect([exit, err]).toEqual([code, ""]);
      expect(ScanBody.parse(JSON.parse(out)).verdict).toBe(verdict);
    }
  });

  it("says where no scanner answered, and what to do", () => {
    const { code, out, err } = call(join(work, "clean"), "--clamd", join(work, "none.sock"));
    expect([code, out.split("\n")[0]]).toEqual([4, expect.stringMatching(/^hold: no scanner answered/)]);
    expect(err).toBe(
      `No clamd answers at ${join(work, "none.sock")}. Without it nothing is called clean. Start it (systemctl start clamav-daemon), or name its socket by --clamd.\n`,
    );
  });

  it("says it in words, with nothing in a name that moves a cursor", () => {
    const { out } = call(join(work, "bad"));
    expect(out).toMatch(/^block: .*infected/);
    expect(out).toContain("2 files: 1 clean, 1 infected, 0 unscannable; by ClamAV");
    expect(out).not.toContain("\u001b");
  });

  it("takes a policy document, or its section, as JSON or YAML", () => {
    const section = join(work, "section.yaml");
    writeFileSync(section, "unscannable: allow\n");
    expect(call(join(work, "cut"), "--policy", section).code).toBe(0);
    const whole = join(work, "whole.json");
    writeFileSync(whole, JSON.stringify({ usb: { infected: "hold" } }));
    expect(call(join(work, "bad"), "--policy", whole).code).toBe(4);
  });

  it("exits 1 and says what to do for a target, a policy or a configuration that cannot be read", () => {
    const broken = join(work, "broken.yaml");
    writeFileSync(broken, "usb: { unscannable: maybe }\n");
    for (const [args, message] of [
      [[join(work, "nothing")], /nothing cannot be scanned: there is no such file or folder/],
      [["/dev/null"], /neither a file, a device with blocks nor a folder/],
      [[join(work, "clean"), "--policy", broken], /broken\.yaml is no policy:\nusb\.unscannable: /],
      [[join(work, "clean"), "--policy", join(work, "none")], /no policy file/],
      [[join(work, "clean"), "--clamd-conf", join(work, "none")], /no clamd configuration/],
    ] as const) {
      const { code, out, err } = call(...args);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(message);
      expect(err).not.toMatch(/at .*\.ts:\d/);
    }
  });
});
