/** A real clamd that is told to end in the middle of a file. */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { afterEach, describe, expect, it } from "vitest";
import { NOBODY } from "../../src/dom0/confine-args.ts";
import { openScannerDoor } from "../../src/dom0/scanner-door.ts";
import { askReload, fileAsker } from "../../src/gate/reader/clamd.ts";
import type { Event } from "../../src/gate/reader/events.ts";
import { scan } from "../../src/gate/scan.ts";
import { underOneScanner } from "../../src/gate/scanner-watch.ts";
import { type ClamdServer, MARKER, startClamd } from "./clamd-server.ts";
import { missing } from "./packages.ts";

const absent = missing("clamd");
const WIDE = {
  MaxScanSize: "4000M",
  MaxFileSize: "2000M",
  StreamMaxLength: "2000M",
  PCREMaxFileSize: "2000M",
  MaxScanTime: "600000",
};
const LAST_MS = 30_000;
const relies = () => true;

describe.skipIf(absent !== null)("a scanner", { timeout: 60_000 }, () => {
  let clamd: ClamdServer;
  afterEach(() => clamd?.stop());

  /** What it is at. */
  const stats = (): Promise<string> =>
    new Promise((resolve) => {
      let text = "";
      const socket = connect(clamd.socket!, () => socket.write("zSTATS\0"));
      socket.on("data", (bytes) => {
        text += bytes;
      });
      socket.on("error", () => {}).on("close", () => resolve(text));
    });
  /** About what has the marker at its end, and is unpacked for a while; `then`: once it is at it. */
  async function askedAboutLong(then: () => void) {
    const door = await openScannerDoor(clamd, NOBODY);
    const long = Buffer.concat([Buffer.alloc(200_000_000, "some words and others "), Buffer.from(MARKER)]);
    writeFileSync(join(door.tray!, "1"), gzipSync(long, { level: 1 }), { mode: 0o644 });
    const answer = fileAsker(door.path).ask("1", LAST_MS);
    await expect.poll(stats, { interval: 10, timeout: 20_000 }).toMatch(/^\s*SCAN /m);
    then();
    return answer.finally(() => door.close());
  }
  const endedInTheMiddle = () => askedAboutLong(() => clamd.process.kill("SIGTERM"));

  it("that is told to end says OK of what it breaks off; that it did not stay is seen", async () => {
    clamd = await startClamd(WIDE);
    const { done, stayed } = await underOneScanner(clamd.socket!, LAST_MS, endedInTheMiddle, relies);
    expect(done).toEqual({ answer: "clean" });
    expect(stayed).toBe(false);
  });

  it("that did not stay holds what was scanned", async () => {
    clamd = await startClamd(WIDE);
    const row = { path: "a", size: 1, md5: "0".repeat(32), sha256: "1".repeat(64), type: "text/plain" };
    const scanner = { engine: "ClamAV 1.4.6", definitions: null, date: null };
    async function* lines(act: () => Promise<unknown>) {
      yield JSON.stringify({ event: "scanner", scanner } satisfies Event);
      await act();
      yield JSON.stringify({ event: "file", file: { ...row, finding: "clean" } } satisfies Event);
      yield JSON.stringify({ event: "end" } satisfies Event);
    }
    const look = (act: () => Promise<unknown>) =>
      scan("stick.img", {
        policy: UsbSection.parse({}),
        clamd,
        start: async () => ({
          confined: "bubblewrap",
          kind: "image",
          lines: lines(act),
          ended: Promise.resolve(null),
        }),
        now: () => new Date(),
        lanes: 1,
      });
    expect((await look(async () => {})).verdict).toBe("allow");
    const body = await look(endedInTheMiddle);
    expect([body.verdict, body.problems]).toEqual(["hold", [expect.stringContaining("ended or started anew")]]);
  });

  it("that breaks off what takes longer than its ReadTimeout, and says OK of that too, is not believed", async () => {
    clamd = await startClamd({ ...WIDE, ReadTimeout: "1" });
    // a fast machine would be through in its time
    const pause = () => {
      clamd.process.kill("SIGSTOP");
      setTimeout(() => clamd.process.kill("SIGCONT"), 2_000);
    };
    expect(await askedAboutLong(pause)).toBeNull();
  });

  it.each(["yes", "no"])("stays while it loads its definitions, beside the old ones: %s", async (beside) => {
    clamd = await startClamd({ ConcurrentDatabaseReload: beside });
    const { done, stayed } = await underOneScanner(clamd.socket!, LAST_MS, () => askReload(clamd.socket!), relies);
    expect([done, stayed]).toEqual([true, true]);
  });

  it("that is still loading when it is first asked has stayed, once it answers", async () => {
    clamd = await startClamd();
    clamd.process.kill("SIGSTOP");
    const goesOn = async () => clamd.process.kill("SIGCONT");
    expect(await underOneScanner(clamd.socket!, LAST_MS, goesOn, relies)).toEqual({ done: true, stayed: true });
  });

  it("that hangs is waited for only where something hangs on its word", async () => {
    clamd = await startClamd();
    const hangs = async () => clamd.process.kill("SIGSTOP");
    try {
      expect((await underOneScanner(clamd.socket!, LAST_MS * 1_000, hangs, () => false)).done).toBe(true);
      expect((await underOneScanner(clamd.socket!, 100, hangs, relies)).stayed).toBe(false);
    } finally {
      clamd.process.kill("SIGCONT");
    }
  });

  it("that is not there has not stayed", async () => {
    expect(await underOneScanner("/nowhere", LAST_MS, async () => 1, relies)).toEqual({ done: 1, stayed: false });
  });
});
