/** kill -9 at each step of the gate, over a real spool: the guest has nothing that is not on record, what was under way is
 *  undone, and the same stick goes the whole way afterwards. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GATE_STEPS } from "@sallyport/shared/record/usb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simGuest } from "../../src/sim/guest.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { until } from "../core/agent.ts";
import { fill, mountSmall } from "../core/small-disk.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { kill, killAll, LONG_MS, reaches, startGate } from "./gate-process.ts";
import { openKilled, recordsOf } from "./spool.ts";

const absent = missing("mkfs.vfat", "mcopy");

let root: string;
let kernel: SimUsb;
let stick: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-killed-"));
  for (const name of ["host", "volume"]) mkdirSync(join(root, name));
  kernel = simUsb(join(root, "host"));
  stick = fatImage(join(root, "stick.img"), layOut(join(root, "tree"), { "letter.txt": "dear reader" }), 12);
});
afterAll(() => {
  killAll();
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

const records = () => {
  const spool = openKilled(root);
  try {
    return recordsOf(spool);
  } finally {
    spool.close();
  }
};
const given = () => [...simGuest(join(root, "guest")).given().keys()];

describe.skipIf(absent !== null)("killed", () => {
  it.each(GATE_STEPS.filter((step) => step !== "removed"))(
    "at %s, the device is held again, the trail is whole, and the next life begins anew",
    async (step) => {
      const first = startGate(root, step);
      await until("the controller holds", () => kernel.defaultOf() === "0", undefined, LONG_MS);
      kernel.plug("1-2", { units: [stick] });
      await reaches(first, step);
      await kill(first);

      const before = records();
      expect(before.at(-1)?.kind).toBe(
        step === "seen" ? "usb.device" : step === "attached" ? "usb.attach" : "usb.step",
      );
      // nothing is with the guest that the trail does not say is there
      expect(given().length > 0).toBe(step === "attached");

      const second = startGate(root, "held");
      await reaches(second, step === "attached" ? "attached" : "held");
      expect(kernel.authorised("1-2")).toBe(false);
      expect(given()).toHaveLength(step === "attached" ? 1 : 0);
      const images = readdirSync(join(root, "volume")).filter((name) => name.endsWith(".img"));
      expect(images.length > 0).toBe(step === "attached");
      await kill(second);
      const said = step === "attached" ? /stays attached; the agent was started again/ : /held and begins anew/;
      expect(records().map(({ text }) => text)).toContainEqual(expect.stringMatching(said));
      kernel.unplug("1-2");

      const third = startGate(root, "none");
      await reaches(third, "looked");
      expect(given()).toEqual([]);
      await kill(third);
      expect(records().at(-1)?.kind).toBe("usb.removed");
    },
    LONG_MS * 4,
  );

  it.each(["planned", "given"])(
    "when its handle is %s and not yet on record, what the guest may have is taken back",
    async (when) => {
      const first = startGate(root, when);
      kernel.plug("1-3", { units: [stick] });
      await reaches(first, when);
      await kill(first);
      expect(given()).toHaveLength(when === "given" ? 1 : 0);
      expect(records().at(-1)?.kind).not.toBe("usb.attach");
      const second = startGate(root, "held");
      await reaches(second, "held");
      expect(given()).toEqual([]);
      await kill(second);
      kernel.unplug("1-3");
    },
    LONG_MS * 2,
  );
});

const disk = absent === null ? mountSmall(6) : undefined;
afterAll(() => {
  if (disk !== undefined) execFileSync("umount", ["-l", disk], { stdio: "ignore" });
});

/** Takes whatever becomes free, until it is stopped: then there is room again. */
function keepFull(folder: string): () => void {
  const filler = join(folder, "filler");
  fill(filler);
  const timer = setInterval(() => fill(filler), 5);
  return () => {
    clearInterval(timer);
    rmSync(filler, { force: true });
  };
}

describe.skipIf(disk === undefined)("killed where the disk takes no more records, when the stick", () => {
  const denied = {
    ...{ id: "0123456789ab", until: "2099-01-01T00:00:00.000Z", reason: "a bad lot" },
    what: { kind: "device", rule: "block id 0951:1666" },
  };
  it.each([
    { why: "is pulled out", at: "removed" },
    { why: "is pulled out", at: "detached" },
    { why: "is pulled out", at: "none" },
    { why: "comes to be denied", at: "refused" },
    { why: "comes to be denied", at: "detached" },
    { why: "comes to be denied", at: "none" },
  ])(
    "$why, at $at: the guest has it no more, and the trail says so, whole, when there is room",
    async ({ why, at }) => {
      const own = mkdtempSync(join(root, "own-"));
      symlinkSync(mkdtempSync(join(disk!, "state-")), join(own, "state"));
      for (const name of ["host", "volume"]) mkdirSync(join(own, name));
      const local = simUsb(join(own, "host"));
      const had = () => [...simGuest(join(own, "guest")).given().keys()];
      const images = () => readdirSync(join(own, "volume"));
      let makeRoom = () => {};
      const told = () => {
        const spool = openKilled(own);
        try {
          return recordsOf(spool);
        } finally {
          spool.close();
        }
      };
      try {
        const first = startGate(own, at);
        await reaches(first, "looked");
        local.plug("1-2", { units: [stick] });
        await reaches(first, "attached");
        makeRoom = keepFull(disk!);
        if (why === "is pulled out") local.unplug("1-2");
        else {
          // whole at once, since the gate looks all the time
          writeFileSync(join(own, "denied.new"), JSON.stringify([denied]));
          renameSync(join(own, "denied.new"), join(own, "denied.json"));
        }
        if (at !== "none") await reaches(first, at);
        else {
          await until("the guest has it no more", () => had().length === 0, undefined, LONG_MS);
          await until("its images are gone", () => images().length === 0, undefined, LONG_MS);
        }
        expect(had()).toHaveLength(at === "removed" || at === "refused" ? 1 : 0);
        await kill(first);
        makeRoom();
        // nothing of it was written
        expect(told().at(-1)?.kind).toBe("usb.attach");

        const second = startGate(own, "none");
        await reaches(second, why === "is pulled out" ? "looked" : "refused");
        await until("the guest has it no more", () => had().length === 0, undefined, LONG_MS);
        await until("its images are gone", () => images().length === 0, undefined, LONG_MS);
        await kill(second);
        const after = told().slice(told().findIndex(({ kind }) => kind === "usb.attach") + 1);
        if (at === "detached" || at === "none")
          expect(after[0]?.text).toMatch(/removed, the guest had it no more when/);
        if (why !== "is pulled out") {
          expect(after.map(({ kind }) => kind)).toContain("usb.verdict");
          expect(after.at(-1)?.text).toMatch(/refused at .*a bad lot/);
        } else expect(after.map(({ kind }) => kind)).toEqual(["usb.removed"]);
      } finally {
        makeRoom();
        local.stop();
      }
    },
    LONG_MS * 2,
  );
});
