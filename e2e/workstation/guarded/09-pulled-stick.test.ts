/** Promise: a stick that is pulled out, half-way or at any other step, leaves nothing with the guest and nothing in dom0. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { gateOf, HALF_WAY, MIB, SLOW, SLOW_MIB } from "./gate.ts";
import { until } from "./guarded.ts";
import { bytesRead, makeStick, noise } from "./sticks.ts";

const at = useGuarded();
const { image, isForgotten } = gateOf(at);

it("a stick that is pulled out half-way is refused, and nothing of it stays", async () => {
  const { workstation, record, records } = at();
  const stick = makeStick(image("pulled"), { "film.bin": noise(12 * MIB) }, SLOW_MIB);
  const since = new Date();
  await workstation.plug(stick, SLOW);
  await until(async () => (await bytesRead(workstation)) > HALF_WAY, "it is being read");
  await workstation.unplug();
  const removed = await record("usb.removed", { since });
  expect(removed.body).toMatchObject({ after: "classified" });
  expect(await records("usb.attach", since)).toEqual([]);
  expect(await records("usb.scan", since)).toEqual([]);
  await isForgotten();
});

it("pulled out at any other step, nothing of it reaches the guest, and nothing stays", async () => {
  const { workstation, record, records } = at();
  const began = new Date();
  for (const step of ["held", "sealed", "scanned"]) {
    const stick = makeStick(image(step), { "letter.txt": `pulled out once it is ${step}\n` }, 2);
    const since = new Date();
    await workstation.plug(stick);
    const reached = await record("usb.step", { since, fits: ({ body }) => body.step === step });
    await workstation.unplug();
    await record("usb.removed", { since, fits: ({ body }) => body.stick === reached.body.stick });
    await isForgotten(`, after ${step}`);
  }
  expect(await workstation.guest("primary", "ls /dev")).not.toContain("xvdi");
  // what the guest may have had for a moment was taken back with it
  for (const { body } of await records("usb.attach", began))
    await record("usb.removed", { since: began, fits: (gone) => gone.body.stick === body.stick });
});
