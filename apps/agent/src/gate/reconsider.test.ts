/** Why an exception that is not there any more takes back what the guest has. */
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import type { Exception } from "@sallyport/shared/usb/exception.ts";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { rulePast } from "./circumstances.ts";
import { reconsiderer } from "./reconsider.ts";
import { type Basis, deviceBasis } from "./stricter.ts";
import { type Gate, passageOf } from "./under-way.ts";

const device = { port: "1-2", bus: 1, address: 7, id: "0951:1666", serial: "60A4", name: "DataTraveler" } as UsbDevice;
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
