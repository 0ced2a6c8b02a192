import { expect, it } from "vitest";
import { Outage } from "./outage.ts";

it("an outage is as long as since the last connection, however many attempts fail", () => {
  let now = 1_000;
  const outage = new Outage(() => now);
  now += 500;
  expect([outage.disconnected(), outage.ms]).toEqual([false, 500]);
  outage.connected();
  now += 500;
  expect(outage.ms).toBe(0);
  expect(outage.disconnected()).toBe(true);
  now += 60_000;
  expect(outage.disconnected()).toBe(false);
  now += 60_000;
  expect(outage.ms).toBe(120_000);
});
