/** The whole agent: a stick is plugged in, held, asked for; a person's signed exception comes over the broker; and a guest
 *  in a real QEMU gets a fresh copy, until the stick is pulled out. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { enrolMachine, stop, stopAll, until } from "../core/agent.ts";
import { type Console, startConsole } from "../core/console.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";
import { type Qemu, qemu } from "./qemu.ts";

const absent = missing("mkfs.vfat", "mcopy", "qemu-system-x86_64");
const LONG_MS = 180_000;
const HANDLE = "sallyport-stick-0";

let root: string;
let kernel: SimUsb;
let console: Console;
let guest: Qemu;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "sallyport-thread-"));
  mkdirSync(join(root, "host"));
  kernel = simUsb(join(root, "host"));
  console = await startConsole();
  if (absent !== null) return;
  guest = qemu(root);
  await guest.begin();
});
afterAll(async () => {
  stopAll();
  await guest?.end();
  kernel.stop();
  await console.stop();
  rmSync(root, { recursive: true, force: true });
});

describe.skipIf(absent !== null)("the agent's gate", () => {
  it("takes a stick from its port to the guest, with a person in between", { timeout: LONG_MS * 3 }, async () => {
    const stick = fatImage(join(root, "stick.img"), layOut(join(root, "tree"), { "letter.txt": "dear reader" }), 12);
    const usb = { ...kernel.place, udev: false, settleMs: 50, guest: { by: "qmp", socket: guest.socket } };
    const machine = await enrolMachine(console, { usb });
    const report = () => console.reported.get(machine.workstation)?.sections.usb;
    const has = (kind: string) => console.records(kind).length > 0;
    const child = machine.start();
    await until("the section is reported in force", () => report()?.outcome === "applied", machine, LONG_MS);
    expect(report()).toMatchObject({ found: { controllers: ["usb1=0"], pins: 0 } });

    // nothing scans here, so nothing can be called clean, and the strict default holds it
    kernel.plug("1-2", { units: [stick] });
    await until("an exception is asked for", () => has("usb.request"), machine, LONG_MS);
    const asked = console.records("usb.request")[0]!.content!.body as unknown as UsbRequestBody;
    const given = guest.attach;
    expect(await given.has(HANDLE)).toBe(false);
    const { device, descriptors, manifest, request } = asked;
    const { workstation } = machine;
    const issued = new Date().toISOString();
    const notAfter = new Date(Date.now() + 3_600_000).toISOString();
    const head = { type: "exception" as const, audience: { workstation }, order: 1, issued, notAfter };
    const carried = { workstation, device, descriptors, manifest, request, reason: "looked at by hand" };
    console.sendCommand(workstation, console.statement(head, carried));
    await until("the guest has it", () => has("usb.attach"), machine, LONG_MS);
    expect(await given.has(HANDLE)).toBe(true);
    expect(console.records("usb.attach")[0]!.content!.body).toMatchObject({
      mode: "rebuild",
      verified: true,
      files: 1,
    });
    expect(console.records("usb.scan")[0]!.content!.body).toMatchObject({ verdict: "hold", rule: "unscannable" });

    // an upgrade in the middle: the guest keeps what it has
    await stop(child);
    expect(await given.has(HANDLE)).toBe(true);
    const again = machine.start();
    const kept = () => console.records("usb.step").some(({ content }) => content?.text.includes("started again"));
    await until("it is taken up again", kept, machine, LONG_MS);

    // a guest that ends has let go of all, and gets it again when it is back
    const images = () => readdirSync(join(machine.state, "usb")).filter((name) => name.endsWith(".img"));
    expect(images()).not.toEqual([]);
    await guest.end();
    await until("that it ended is on record", () => has("usb.removed"), machine, LONG_MS);
    expect(console.records("usb.removed")[0]!.content!.text).toContain("the guest has ended");
    await until("nothing lies about for nobody", () => images().length === 0, machine, LONG_MS);
    await guest.begin();
    await until("the guest has it again", () => console.records("usb.attach").length === 2, machine, LONG_MS);
    const steps = console.records("usb.step").map(({ content }) => content!.text);
    expect(steps.filter((text) => text.includes("does not let go"))).toEqual([]);

    kernel.unplug("1-2");
    await until("it is removed", () => console.records("usb.removed").length === 2, machine, LONG_MS);
    await until("the guest has lost it", async () => !(await given.has(HANDLE)), machine, LONG_MS);
    await stop(again);
  });
});
