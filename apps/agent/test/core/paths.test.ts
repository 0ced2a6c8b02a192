import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const BIN = fileURLToPath(new URL("../../bin/sallyport-agent.mjs", import.meta.url));

/** Paths stand for what is made before each run; `*` is the test's folder. */
const ROWS: { args: string[]; says: RegExp; stdin?: string }[] = [
  { args: ["scan", "*/none"], says: /none cannot be scanned: there is no such file or folder\. Name an image/ },
  { args: ["scan", ""], says: /^The name is empty: name an image/ },
  { args: ["scan", "*/file/below"], says: /below cannot be scanned: a part of that path is a file/ },
  { args: ["scan", "*/socket"], says: /socket is neither a file, a device with blocks nor a folder/ },
  { args: ["scan", "/dev/null"], says: /^\/dev\/null is neither/ },
  { args: ["scan", `*/${"n".repeat(300)}`], says: /the name is too long/ },
  { args: ["scan", "*/loop"], says: /no such file|circle/ },
  { args: ["scan", "*/folder", "--policy", "*/none"], says: /There is no policy file at .*none/ },
  { args: ["scan", "*/folder", "--policy", "*/folder"], says: /folder cannot be read: it is a folder/ },
  {
    args: ["scan", "*/folder", "--policy", "*/policy"],
    says: /policy is no policy:\n(?:usb\.present: .*\n)?usb\.unscanable: there is no such setting$/m,
  },
  { args: ["scan"], says: /'target'\nusage: sallyport-agent scan \[options\] <target>\n\(sallyport-agent scan --help/ },
  { args: ["disk", "show"], says: /usage: sallyport-agent disk show \[options\] <path>/ },
  { args: ["scan", "*/folder", "--clamd-conf", "*/none"], says: /There is no clamd configuration at .*none/ },
  { args: ["replay", "--source", "eve", "*/none"], says: /none cannot be read: there is no such file/ },
  { args: ["replay", "--source", "eve", ""], says: /^The file's name is empty/ },
  { args: ["replay", "--source", "syslog", "*/folder"], says: /folder cannot be read: it is a folder/ },
  { args: ["replay", "--source", "syslog", "*/socket"], says: /socket cannot be read: it is a socket/ },
  { args: ["enrol", "no-token", "--state", "*/new"], says: /token/i },
  { args: ["enrol", "-", "--state", "*/new"], says: /token/i, stdin: "" },
  { args: ["enrol", "-", "--state", "*/new"], says: /token/i, stdin: "A".repeat(100_000) },
  { args: ["enrol", "", "--state", "*/new"], says: /token/i },
  { args: ["status", "--state", "*/none"], says: /none/ },
  { args: ["status", "--state", "*/file"], says: /file/ },
  { args: ["status", "--state", "*/folder"], says: /enrol/i },
  { args: ["run", "--state", "*/folder"], says: /enrol/i },
  { args: ["run", "--state", "*/folder", "--config", "*/none"], says: /none cannot be read: there is no such file/ },
  { args: ["run", "--state", "*/folder", "--config", "*/folder"], says: /folder cannot be read: it is a folder/ },
  { args: ["run", "--state", "*/folder", "--config", "*/file"], says: /no JSON/ },
  { args: ["run", "--state", "*/file"], says: /file/ },
];

describe("what sallyport-agent says of a path it cannot use", () => {
  let folder: string;
  let server: Server;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-paths-"));
    mkdirSync(join(folder, "folder"));
    writeFileSync(join(folder, "file"), "no json\n");
    writeFileSync(join(folder, "policy"), "usb:\n  unscanable: block\n  present: 3\n");
    server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(ROWS)("$args: a sentence, exit code 1, no errno and no stack", { timeout: 120_000 }, (row) => {
    const args = row.args.map((arg) => arg.replace(/^\*/, folder));
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      encoding: "utf8",
      input: row.stdin ?? "",
    });
    expect(stderr).toMatch(row.says);
    expect(stderr).not.toMatch(/\bE[A-Z]{3,}\b|\berrno\b|^\s+at |node:internal/m);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });

  // a state folder is root's alone: whoever else asks must not be told that there is nothing in it
  const OTHER = { uid: 65_534, gid: 65_534 };
  const other = process.getuid?.() === 0 ? OTHER : {};
  const reaches = spawnSync(process.execPath, ["--check", BIN], other).status === 0;
  it.skipIf(!reaches)(
    "a folder that this user may not enter is no answer, neither of enrolment nor of the gate",
    () => {
      const closed = join(folder, "closed");
      mkdirSync(closed);
      if (process.getuid?.() === 0) chmodSync(folder, 0o755);
      chmodSync(closed, process.getuid?.() === 0 ? 0o700 : 0o000);
      for (const [verb, says] of [
        [
          "status",
          /^Whether this machine is enrolled cannot be told: .*this user may not open it\. Run this as root\.\n$/,
        ],
        ["hold-all", /config\.json cannot be read: this user may not open it\.\n$/],
      ] as const) {
        const options = { encoding: "utf8", cwd: "/", ...other } as const;
        const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, verb, "--state", closed], options);
        expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
        expect(stderr).toMatch(says);
      }
    },
  );
});
