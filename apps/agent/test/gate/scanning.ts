/** One scan by the confined reader and a real clamd, as the tests of containers and media ask for it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { startReader } from "../../src/dom0/confine.ts";
import { type ScanOptions, scan } from "../../src/gate/scan.ts";
import { type ClamdServer, startClamd } from "./clamd-server.ts";

export type Scanning = {
  clamd: ClamdServer;
  /** A path that nothing has yet. */
  fresh(name?: string): string;
  look(target: string, policy?: object, more?: Partial<ScanOptions>): Promise<ScanBody>;
  stop(): Promise<void>;
};

export async function scanning(): Promise<Scanning> {
  const work = mkdtempSync(join(tmpdir(), "sallyport-scan-"));
  const clamd = await startClamd();
  let counter = 0;
  return {
    clamd,
    fresh: (name = "x") => join(work, `${counter++}-${name}`),
    async look(target, policy = {}, more = {}) {
      const body = await scan(target, {
        policy: UsbSection.parse(policy),
        clamd,
        start: startReader,
        now: () => new Date(),
        lanes: 2,
        ...more,
      });
      return ScanBody.parse(body);
    },
    async stop() {
      await clamd.stop();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

export const findings = (body: ScanBody): Record<string, string> =>
  Object.fromEntries(body.manifest.map((file) => [file.path ?? `base64:${file.pathBase64}`, file.finding]));

/** `clean` where no row says more. */
export const told = (body: ScanBody, path: string): string => {
  const row = body.manifest.find((each) => each.path === path);
  return row === undefined ? "absent" : row.detail === undefined ? row.finding : `${row.finding}: ${row.detail}`;
};

/** In a folder, as a shell line; the tools that only root has on the path are found. */
export const sh = (folder: string, line: string): void => {
  execFileSync("sh", ["-ec", line], {
    cwd: folder,
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: "C.UTF-8", MTOOLS_SKIP_CHECK: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
};
