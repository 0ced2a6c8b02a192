/** The whole agent: a stick is plugged in, held, asked for; a person's signed exception comes over the broker; and a guest
 *  in a real QEMU gets a fresh copy, until the stick is pulled out. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attachTo } from "../../src/dom0/attach.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { type SimUsb, simUsb } from "../../src/sim/usb.ts";
import { enrolMachine, stop, stopAll, until } from "../core/agent.ts";
import { type Console, startConsole } from "../core/console.ts";
import { fatImage, layOut } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";

const absent = missing("mkfs.vfat", "mcopy", "qemu-system-x86_64");
const LONG_MS = 180_000;
const HANDLE = "sallyport-stick-0";

let root: string;
let kernel: SimUsb;
let console: Console;
let guest: ChildProcess;
let socket: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "sallyport-thread-"));
  mkdirSync(join(root, "host"));
  kernel = simUsb(join(root, "host"));
  socket = join(root, "qmp");
  console = await startConsole();
  if (absent !== null) return;
  const flags = ["-machine", "q35", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-S"];
  const bus = ["-device", "qemu-xhci", "-qmp", `unix:${socket},server=on,wait=off`];
  guest = spawn("qemu-system-x86_64", [...flags, ...bus], { stdio: "ignore" });
});
afterAll(async () => {
  stopAll();
  guest?.kill("SIGKILL");
  kernel.stop();
  await console.stop();
  rmSync(root, { recursive: true, force: true });
});

describe.skipIf(absent !== null)("the agent's gate", () => {
  it("takes a stick from its port to the guest, with a person in between", { timeout: LONG_MS * 3 }, async () => {
    const stick = fatImage(join(root, "stick.img"), layOut(join(root, "tree"), { "letter.txt": "dear reader" }), 12);
    const usb = { ...kernel.place, udev: false, settleMs: 50, guest: { by: "qmp", socket } };
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
    const given = attachTo(realDom0, { by: "qmp", socket });
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
    kernel.unplug("1-2");
    await until("it is removed", () => has("usb.removed"), machine, LONG_MS);
    await until("the guest has lost it", async () => !(await given.has(HANDLE)), machine, LONG_MS);
    await stop(again);
  });
});
