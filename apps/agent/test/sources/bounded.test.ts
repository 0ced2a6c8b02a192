/** Files of a writer that holds them open, as xenconsoled does: moved aside, read to their end, taken away. */
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DoorError } from "../../src/dom0/dom0.ts";
import { logFiles } from "../../src/dom0/log-files.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { consoleFiles, guestName } from "../../src/sources/console/source.ts";
import { boundedFiles } from "../../src/sources/follow/bound.ts";
import { currentName } from "../../src/sources/follow/rotated.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { keeper, run, until } from "./outlet.ts";

const PATTERN = "guest-*.log";
const FILE_BYTES_MAX = 64 * 1024;
const BYTES_MAX = 4 * 1024 * 1024;
const LINES = 20_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-bounded-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("keep every line over many files, whether or not the writer hears at once that it has a new one", async () => {
  const names = ["noisy", "quiet"];
  const open = () => names.map((name) => openSync(join(folder, `guest-${name}.log`), "a"));
  let files = open();
  let asked = 0;
  const consoles = run(
    consoleFiles({ folder, pattern: PATTERN, guests: guestMap([]), dom0: realDom0, graceMs: 200, lookEveryMs: 50 }),
    keeper(),
  );
  const bounded = run(
    boundedFiles({
      name: folder,
      kind: "console",
      async paths() {
        const all = [...new Set(readdirSync(folder).map(currentName))];
        return all.filter((name) => guestName(name, PATTERN) !== undefined).map((name) => join(folder, name));
      },
      async reopen() {
        if (++asked === 1) throw new DoorError("it does not run");
        for (const file of files) closeSync(file);
        files = open();
      },
      // told again after seconds, which pass quickly here
      dom0: { ...realDom0, monotonic: () => realDom0.monotonic() * 100 },
      files: logFiles,
      fileBytesMax: FILE_BYTES_MAX,
      bytesMax: BYTES_MAX,
      lookEveryMs: 20,
    }),
    consoles.kept,
  );
  for (let at = 0; at < LINES; at++) {
    writeSync(files[0]!, `noisy line ${at}\n`);
    if (at % 100 === 0) {
      writeSync(files[1]!, `quiet line ${at}\n`);
      await delay(5);
    }
  }
  const said = (guest: string) =>
    consoles.kept.observations.flatMap(({ kind, body }) =>
      kind === "guest.log" && (body as GuestLog).message.startsWith(guest) ? [(body as GuestLog).message] : [],
    );
  await until(() => said("noisy").length >= LINES && said("quiet").length >= LINES / 100, "every line is a record");
  expect(said("noisy")).toEqual(Array.from({ length: LINES }, (_, at) => `noisy line ${at}`));
  expect(said("quiet")).toHaveLength(LINES / 100);
  expect(asked).toBeGreaterThan(2);
  const left = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  await until(() => left() < 3 * FILE_BYTES_MAX, "what was read is gone");
  await Promise.all([consoles.stop(), bounded.stop()]);
  for (const file of files) closeSync(file);
});
