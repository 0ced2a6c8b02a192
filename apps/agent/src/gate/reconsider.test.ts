/** Why an exception that is not there any more takes back what the guest has. */
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { rulePast } from "./circumstances.ts";
import { reconsiderer, strict } from "./reconsider.ts";
import { Basis, deviceBasis } from "./stricter.ts";
import { type Gate, passageOf } from "./under-way.ts";

const device: UsbDevice = {
  ...{ port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: "60A4", name: "DataTraveler", maker: "Kingston" },
  ...{ interfaces: ["08:06:50"], interfaceCount: 1, speed: "480", connectType: "hotplug" },
  ...{ descriptors: "a".repeat(64), hash: "h", parentHash: "p" },
};
const rules = { policy: UsbSection.parse({}), denied: [], pins: [], hash: sha256, workstation: "w" };
const exception = { digest: "e".repeat(64) } as Exception;

function told(basis: Basis | undefined, exceptions: Exception[]): unknown[] {
  const images = [{ lun: 0, bytes: 512, sha256: "a".repeat(64), file: "f" }];
  const passage = passageOf("1-2#1.7", {
    ...{ step: "attached", device, images, mode: "rebuild", handles: ["xvdi"] },
    exception: exception.digest,
  });
  if (basis) passage.basis = basis;
  const parts = { exceptions: () => exceptions, rules: () => rules, floor: () => 0, now: () => 0 };
  const gate = { parts, passages: new Map([[passage.key, passage]]), past: rulePast(sha256, undefined) };
  reconsiderer(gate as unknown as Gate)();
  return passage.inbox;
}

describe("what the guest has by an exception", () => {
  it("stays while that stands, and goes when it has ended", () => {
    expect(told(deviceBasis(rules), [exception])).toEqual([]);
    expect(told(deviceBasis(rules), [])).toEqual([{ event: "failed", reason: "its exception has ended" }]);
  });
  it("and came with an earlier version goes with the reason that its exception may name a model", () => {
    expect(told(undefined, [])).toEqual([
      { event: "failed", reason: expect.stringMatching(/earlier version.*names a model and not this stick.*ask anew/) },
    ]);
  });
});

it("after a restart a device is judged by the hour, the others and the draw of when it was plugged in", () => {
  const lines = ["allow if localtime(08:00-09:00)", "allow if allowed-matches(id 046d:*)", "allow if random(0.5)"];
  const past = rulePast(sha256, undefined);
  const [morning, evening] = [new Date(2026, 10, 24, 8, 30).getTime(), new Date(2026, 10, 24, 20).getTime()];
  const other = { ...{ id: "046d:c31c", serial: "", name: "", hash: "", parentHash: "", viaPort: "1-3" } };
  const others = [{ ...other, interfaces: ["03:01:01"], connectType: "" }];
  const now = (line: string, moment?: ReturnType<typeof past.moment>) => {
    const before = { ...rules, policy: UsbSection.parse({ deviceRules: [line] }) };
    const after = { ...rules, policy: UsbSection.parse({ deviceRules: [line, "block id 9999:*"] }) };
    const passage = passageOf("1-2#1.7", {
      ...{ step: "attached", device, images: [], mode: "rebuild", handles: ["xvdi"] },
    });
    passage.basis = Basis.parse(JSON.parse(JSON.stringify(deviceBasis(before, moment))));
    const parts = { rules: () => after, floor: () => 0, now: () => evening };
    return strict({ parts, past: rulePast(sha256, undefined) } as unknown as Gate, passage)?.reason;
  };
  const then = { ...past.moment(morning, others), drawn: 0.2 };
  expect(lines.map((line) => now(line, then))).toEqual([undefined, undefined, undefined]);
  expect(now(lines[2]!, { ...then, drawn: 0.7 })).toMatch(/no device rule matches/);
  // what an agent has written that kept none of it
  expect(now(lines[0]!)).toMatch(/no device rule matches/);
});
