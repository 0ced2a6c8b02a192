import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const BIN = fileURLToPath(new URL("../bin/sallyport.mjs", import.meta.url));

/** `*` is the test's folder. The exit code is 1 but where the answer itself is no. */
const ROWS: { args: string[]; says: RegExp; code?: number }[] = [
  { args: ["verify", "*/none"], says: /none cannot be read: there is no such file or folder/ },
  { args: ["verify", ""], says: /^The export's name is empty/ },
  { args: ["verify", "*/text"], says: /text is no export: / },
  { args: ["verify", "*/socket"], says: /socket is neither a folder nor a file/ },
  { args: ["verify", "*/text/below"], says: /a part of that path is a file/ },
  { args: ["verify", "*/folder"], says: /^NOT WHOLE\n- The export has no verifier key/, code: 3 },
  { args: ["verify", "*/folder", "--vkey", "*/none"], says: /none cannot be read/ },
  { args: ["verify", "*/folder", "--checkpoint", "*/folder"], says: /NOT WHOLE|it is a folder/ },
  { args: ["policy", "check", "*/none"], says: /none cannot be read: there is no such file/ },
  { args: ["policy", "check", "*/folder"], says: /folder cannot be read: it is a folder/ },
  { args: ["policy", "check", "*/bytes"], says: /bytes is not UTF-8 text/ },
  {
    args: ["policy", "check"],
    says: /'file'\nusage: sallyport policy check \[options\] <file>\n\(sallyport policy check --h/,
  },
  { args: ["polcy"], says: /Did you mean policy\?\)\nusage: sallyport \[options\] \[command\]\n\(sallyport --help/ },
  { args: ["command", "send", "wipe", "--reason", "r"], says: /^wipe is asked for on the workstation's page/ },
  { args: ["command", "send", "nuke", "--reason", "r"], says: /^nuke is no command\. There are: isolate, release/ },
  { args: ["policy", "check", ""], says: /^The file's name is empty/ },
  { args: ["policy", "diff", "*/none", "*/none"], says: /none cannot be read/ },
  { args: ["policy", "import-usbguard", "*/none"], says: /none cannot be read/ },
  { args: ["usb", "rules", "*/none"], says: /none cannot be read/ },
  { args: ["usb", "rules", "*/folder"], says: /it is a folder/ },
  { args: ["usb", "rules", "*/socket"], says: /it is a socket/ },
  { args: ["export", "--workstation", "w", "--out", "*/text/new"], says: /cannot be written: .*not a folder/ },
  { args: ["export", "--workstation", "w", "--out", ""], says: /^--out is empty/ },
  { args: ["export", "--workstation", "w", "--out", "*/new", "--url", "nowhere"], says: /is no address/ },
  {
    args: ["export", "--workstation", "w", "--out", "*/new", "--url", "http://127.0.0.1:9"],
    says: /does not answer/,
  },
  { args: ["backup", "*/new", "--state", "*/none"], says: /none/ },
  { args: ["restored", "--state", "*/none"], says: /holds no console key/ },
];

describe("what sallyport says of a path it cannot use", () => {
  let folder: string;
  let server: Server;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-paths-"));
    mkdirSync(join(folder, "folder"));
    writeFileSync(join(folder, "text"), `${"no export\n".repeat(100)}`);
    writeFileSync(join(folder, "bytes"), Uint8Array.of(0xff, 0xfe, 0xc0));
    server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(ROWS)("$args: a sentence, no errno and no stack", { timeout: 120_000 }, ({ args, says, code = 1 }) => {
    const named = args.map((arg) => arg.replace(/^\*/, folder));
    const env = { ...process.env, SALLYPORT_TOKEN: "token", DATABASE_URL: undefined };
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...named], { encoding: "utf8", env });
    const told = code === 1 ? stderr : stdout;
    expect(told).toMatch(says);
    expect(stderr).not.toMatch(/\bE[A-Z]{3,}\b|\berrno\b|^\s+at |node:internal|sallyport failed/m);
    expect(status).toBe(code);
  });
});
