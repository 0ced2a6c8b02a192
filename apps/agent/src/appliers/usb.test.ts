import { DEFAULT_USB } from "@sallyport/shared/policy/usb.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { describe, expect, it } from "vitest";
import { type UsbFacts, ungated, usbApplier } from "./usb.ts";

function machine(more: Partial<UsbFacts> = {}, values: Record<string, string> = { usb1: "0", usb2: "0" }) {
  const ports: UsbFacts["ports"] = {
    controllers: async () => Object.entries(values).map(([name, authorizedDefault]) => ({ name, authorizedDefault })),
    holdNew: async (name) => {
      values[name] = "0";
    },
  };
  const applier = usbApplier({ ports, gate: () => ({ state: "running" }), guest: true, pins: 1, ...more });
  const look = async (mode: "enforce" | "audit" = "enforce") =>
    SectionState.parse(applier.judge({ ...DEFAULT_USB, mode }, await applier.inspect()));
  return { applier, look, values };
}

describe("the usb section", () => {
  it("is in force where every controller holds and the gate runs", async () => {
    expect(await machine().look()).toEqual({
      outcome: "applied",
      found: { controllers: ["usb1=0", "usb2=0"], pins: 1 },
    });
    expect((await machine().look("audit")).outcome).toBe("audit");
  });
  it("is not while one controller lets new devices in; it is closed again, and that is said", async () => {
    const { applier, look, values } = machine({}, { usb1: "0", usb2: "1" });
    expect(await look()).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/let new devices in: usb2/),
    });
    await applier.apply(DEFAULT_USB);
    expect(values).toEqual({ usb1: "0", usb2: "0" });
    expect(await look()).toMatchObject({ outcome: "applied", reason: expect.stringMatching(/had opened usb2/) });
    await applier.apply(DEFAULT_USB);
    expect((await look()).reason).toBeUndefined();
  });
  it.each([
    ["has not begun", undefined, /not begun/],
    ["has failed", { state: "failed" as const, reason: "no room" }, /no room/],
  ])("is not while the gate %s", async (_, said, why) => {
    expect(await machine({ gate: () => said }).look()).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(why),
    });
  });
  it("is not where the reader's sandbox does not work: each stick is refused, with the reason", async () => {
    const unreadable = async () => "bwrap: no permissions";
    expect(await machine({ unreadable }).look()).toMatchObject({
      outcome: "failed",
      reason: "Every stick is refused: bwrap: no permissions",
    });
    expect((await machine({ unreadable: async () => undefined }).look()).outcome).toBe("applied");
  });
  it("is in force all the same where the scanner's limits are narrow, and says what they hold", async () => {
    const narrow = async () => "files beyond 25 MB are held";
    expect(await machine({ narrow }).look()).toMatchObject({
      outcome: "applied",
      reason: "files beyond 25 MB are held",
    });
  });
  it("says that nobody gets anything where no guest is named", async () => {
    expect((await machine({ guest: false }).look()).reason).toMatch(/No guest is named/);
  });
  it("is not applied on a machine without a controller, or where the gate is off", async () => {
    expect((await machine({}, {}).look()).outcome).toBe("not-applied");
    expect(ungated().judge(DEFAULT_USB, null).outcome).toBe("not-applied");
  });
});
