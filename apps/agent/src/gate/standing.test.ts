import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GateChoice } from "../config.ts";
import { usbPorts } from "../dom0/usb.ts";
import type { Needed } from "../dom0/usb-needed.ts";
import { type SimUsb, simUsb } from "../sim/usb.ts";
import type { Outlet } from "../sources/source.ts";
import { standingOf, tellStanding } from "./standing.ts";

let root: string;
let kernel: SimUsb;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-standing-"));
  kernel = simUsb(root);
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

const KEYBOARD = { interfaces: [["03:01:01"]], product: "c31c", name: "Keyboard" };
const look = (usb: object | undefined, hasGated = false, needed: Needed[] = []) =>
  standingOf(usb && GateChoice.parse(usb), usbPorts(kernel.place), hasGated, async () => needed);

it("without its section nothing is gated, and that is said plainly", async () => {
  expect(await look(undefined)).toEqual({
    state: "ungated",
    reason: expect.stringMatching(/^USB: not gated, because the agent's configuration does not turn it on/),
  });
});

it("a keyboard that no pin lets in is not cut off by the first start, and never lets a gate be opened again", async () => {
  kernel.plug("1-2", { interfaces: [["08:06:50"]] });
  expect(await look({})).toMatchObject({ state: "gated" });
  kernel.plug("1-3", KEYBOARD);
  expect(await look({})).toEqual({
    state: "ungated",
    reason: expect.stringMatching(
      /cut off the keyboard at 1-3 0951:c31c Keyboard, and none is pinned\. Run "sallyport-agent pin-keyboards"/,
    ),
  });
  const pins = [{ port: "1-9", descriptors: "0".repeat(64) }];
  for (const gated of [await look({ pins }), await look({ withoutKeyboard: true }), await look({}, true)])
    expect(gated).toMatchObject({ state: "gated" });
});

it("dom0's own disk or uplink is not cut off by the first start, unless it and its hub are pinned", async () => {
  kernel.plug("1-3", { interfaces: [["09:00:00"]] });
  kernel.plug("1-3.2", { interfaces: [["08:06:50"]] });
  const needed = [{ port: "1-3.2", why: "sda2 is mounted at /" }];
  const ports = usbPorts(kernel.place);
  const pinOf = async (port: string) => {
    const read = await ports.read(port);
    return { port, descriptors: read?.ok ? read.value.descriptors : "" };
  };
  const [hub, disk] = [await pinOf("1-3"), await pinOf("1-3.2")];
  const cut = {
    state: "ungated",
    reason: expect.stringMatching(/what dom0 itself stands on: 1-3\.2 \(sda2 is mounted/),
  };
  expect(await look({ withoutKeyboard: true }, false, needed)).toEqual(cut);
  expect(await look({ pins: [disk] }, false, needed)).toEqual(cut);
  expect(await look({ pins: [hub, disk] }, false, needed)).toMatchObject({ state: "gated" });
  expect(await look({ withoutKeyboard: true }, true, needed)).toMatchObject({ state: "gated" });
});

it("is told once for each change, also over restarts, and not where there is no controller", async () => {
  const told: Observation[] = [];
  const positions = new Map<string, unknown>();
  const outlet = {
    position: (name: string) => positions.get(name),
    emit: async ({ observations, position }: Parameters<Outlet["emit"]>[0]) => {
      told.push(...observations);
      if (position) positions.set(position.name, position.value);
      return { kept: 1, suppressed: 0, refused: 0 };
    },
  } as unknown as Outlet;
  const ports = usbPorts(kernel.place);
  const tell = (standing: Awaited<ReturnType<typeof look>>, of = ports) => tellStanding(outlet, of, standing, () => 0);
  await tell(await look({}));
  expect(told).toEqual([]);
  for (const standing of [await look(undefined), await look(undefined), await look({}), await look({})])
    await tell(standing);
  expect(told.map(({ kind, severity, body }) => [kind, severity, (body as { state: string }).state])).toEqual([
    ["usb.gate", "error", "ungated"],
    ["usb.gate", "notice", "gated"],
  ]);
  await tell(await look(undefined), usbPorts({ ...kernel.place, sysfs: join(root, "none") }));
  expect(told).toHaveLength(2);
});
