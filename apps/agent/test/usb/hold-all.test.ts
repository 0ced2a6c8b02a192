/** kill -9 at each step of the gate, and then what systemd runs: the stick is held at once, what always passes and what
 *  the guest and dom0 have stays. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GATE_STEPS } from "@sallyport/shared/record/usb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { usbPorts } from "../../src/dom0/usb.ts";
import type { Held } from "../../src/gate/hold-all.ts";
import { simGuest } from "../../src/sim/guest.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { kill, killAll, LONG_MS, reaches, startGate } from "./gate-process.ts";

const absent = missing("mkfs.vfat", "mcopy");
const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const NODE = ["--disable-warning=ExperimentalWarning"];
const [KEYBOARD, STICK, OTHER, DIRECT] = ["1-1", "1-2", "1-3", "1-4"];

let root: string;
let kernel: SimUsb;
let stick: string;
const config = (value: object) => writeFileSync(join(root, "config.json"), JSON.stringify(value));
let gated: object;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "sallyport-hold-all-"));
  for (const name of ["host", "volume"]) mkdirSync(join(root, name));
  kernel = simUsb(join(root, "host"), { authorizedDefault: "0" });
  if (absent !== null) return;
  stick = fatImage(join(root, "stick.img"), layOut(join(root, "tree"), { "letter.txt": "dear reader" }), 12);
  kernel.plug(KEYBOARD, { interfaces: [["03:01:01"]], vendor: "046d", product: "c31c", units: [] });
  kernel.plug(DIRECT, { interfaces: [["0e:01:00"]], vendor: "1234", product: "5678", units: [] });
  const read = await usbPorts(kernel.place).read(KEYBOARD);
  const pins = [{ port: KEYBOARD, descriptors: read?.ok ? read.value.descriptors : "" }];
  writeFileSync(join(root, "gate.json"), JSON.stringify({ pins, directRules: ["allow id 1234:5678"] }));
  gated = { usb: { ...kernel.place, pins } };
  config(gated);
  // what the guest and dom0 have before anything happens
  const first = startGate(root, "none");
  for (const port of [KEYBOARD, DIRECT]) await reaches(first, `attached@${port}`);
  await kill(first);
}, LONG_MS);
afterAll(() => {
  killAll();
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

/** As the package's unit runs it. */
async function holdAll(): Promise<Held | null> {
  const args = [...NODE, CLI, "hold-all", "--json"];
  const places = ["--state", join(root, "state"), "--config", join(root, "config.json")];
  return JSON.parse((await promisify(execFile)(process.execPath, [...args, ...places])).stdout) as Held | null;
}
const open = () => [KEYBOARD, STICK, OTHER, DIRECT].filter((port) => kernel.authorised(port));

describe.skipIf(absent !== null)("what the agent leaves open when it is killed", () => {
  it.each([...GATE_STEPS.filter((step) => step !== "removed"), "open", "planned"])(
    "at %s is held at once; pins and what the guest has stay",
    async (step) => {
      const gate = startGate(root, `${step}@${STICK}`);
      await reaches(gate, "looked");
      kernel.plug(STICK, { units: [stick] });
      await reaches(gate, `${step}@${STICK}`);
      await kill(gate);
      // the fault that this is for
      expect(kernel.authorised(STICK)).toBe(step === "open");
      const given = simGuest(join(root, "guest")).given();
      kernel.flip("1");
      kernel.plug(OTHER, { units: [stick] });
      expect(kernel.authorised(OTHER)).toBe(true);

      const held = await holdAll();
      expect(held).toMatchObject({ kept: [KEYBOARD, DIRECT], failed: [] });
      expect(held!.held).toEqual(step === "open" ? [STICK, OTHER] : [OTHER]);
      expect(open()).toEqual([KEYBOARD, DIRECT]);
      expect(kernel.defaultOf()).toBe("0");
      kernel.join("usb9");
      expect(kernel.defaultOf("usb9")).toBe("0");
      expect(simGuest(join(root, "guest")).given()).toEqual(given);
      expect(given.size).toBe(step === "attached" ? 2 : 1);
      expect(await holdAll()).toMatchObject({ held: [], kept: [KEYBOARD, DIRECT], failed: [] });
      kernel.unplug(STICK);
      kernel.unplug(OTHER);
      // the next life takes back what the guest may have of it
      const next = startGate(root, "none");
      await reaches(next, "looked");
      await kill(next);
    },
    LONG_MS,
  );

  it("is held but for the pins where the spool is locked, or cannot be read", async () => {
    const spool = join(root, "state/spool.db");
    const let_in = () => usbPorts(kernel.place).authorise(DIRECT, true);
    const locked = new DatabaseSync(spool);
    try {
      locked.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; SELECT count(*) FROM position");
      expect(await holdAll()).toMatchObject({
        held: [DIRECT],
        doubt: expect.stringMatching(/spool .* cannot be read/),
      });
    } finally {
      locked.close();
    }
    expect(open()).toEqual([KEYBOARD]);
    await let_in();
    copyFileSync(spool, `${spool}.whole`);
    writeFileSync(spool, "this is no database, and it is long enough to be looked at as one".repeat(100));
    expect(await holdAll()).toMatchObject({ held: [DIRECT], doubt: expect.stringMatching(/not a database/) });
    expect(open()).toEqual([KEYBOARD]);
    copyFileSync(`${spool}.whole`, spool);
    await let_in();
    expect(await holdAll()).toMatchObject({ held: [], kept: [KEYBOARD, DIRECT] });
  });

  it("is left alone where dom0 gates nothing, and a keyboard of other content at a pinned port is not what was pinned", async () => {
    kernel.plug(OTHER, { units: [stick] });
    await usbPorts(kernel.place).authorise(OTHER, true);
    config({});
    expect(await holdAll()).toBeNull();
    config(gated);
    expect(open()).toEqual([KEYBOARD, OTHER, DIRECT]);
    kernel.plug(KEYBOARD, { interfaces: [["03:01:01"]], vendor: "046d", product: "c31d", units: [] });
    await usbPorts(kernel.place).authorise(KEYBOARD, true);
    expect((await holdAll())!.held).toEqual([KEYBOARD, OTHER]);
  });
});
