/** Who is held back is read more slowly, also where each line had to be read before that was known: by its severity, or as a
 *  part of a longer one. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { consoleFiles } from "../../src/sources/console/source.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { syslogTcp } from "../../src/sources/syslog/tcp.ts";
import { keeper, place, run, until } from "./outlet.ts";

/** Its parts alone are many chunks, and cost next to nothing to read. */
const LONG = Buffer.concat([Buffer.alloc(4 * 1024 * 1024, "x"), Buffer.from("\n")]);
const PARTS = Math.ceil((4 * 1024 * 1024) / 8192);

/** Takes nothing, and says so. */
function holding() {
  const kept = keeper();
  let held = 0;
  kept.outlet.emit = async ({ observations }) => {
    held += observations.length;
    return { kept: 0, suppressed: observations.length, refused: 0 };
  };
  return { kept, held: () => held };
}

it("by TCP", async () => {
  const { kept, held } = holding();
  const source = run(
    syslogTcp({ address: { host: "127.0.0.1", port: 0 }, guests: guestMap([]), whose: () => undefined, now: Date.now }),
    kept,
  );
  const socket = connect(Number((await place(source)).split(":").at(-1)), "127.0.0.1");
  await once(socket, "connect");
  const began = performance.now();
  socket.end(LONG);
  await until(() => held() >= PARTS, "it is read");
  // 64 chunks of 64 KiB at most, and a pause behind each
  expect(performance.now() - began).toBeGreaterThan(1_000);
  await source.stop();
});

it("from a file", async () => {
  const { kept, held } = holding();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-held-"));
  writeFileSync(join(folder, "guest-work.log"), LONG);
  const began = performance.now();
  const source = run(consoleFiles({ folder, pattern: "guest-*.log", guests: guestMap([]), dom0: realDom0 }), kept);
  await until(() => held() >= PARTS, "it is read");
  expect(performance.now() - began).toBeGreaterThan(300);
  await source.stop();
  rmSync(folder, { recursive: true });
});
