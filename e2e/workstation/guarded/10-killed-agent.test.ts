/** Promise: an agent that is killed while a stick is read holds it, reads it anew, and its trail is whole. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { gateOf, HALF_WAY, MIB, SLOW, SLOW_MIB } from "./gate.ts";
import { until } from "./guarded.ts";
import { bytesRead, makeStick, noise, sha256 } from "./sticks.ts";

const at = useGuarded();
const { image, isHeld, stepsOf } = gateOf(at);

it("an agent that is killed while a stick is read holds it again, reads it anew, and its trail is whole", async () => {
  const { workstation, record, records, api } = at();
  const film = noise(8 * MIB);
  const stick = makeStick(image("killed"), { "film.bin": film }, SLOW_MIB);
  const since = new Date();
  await workstation.plug(stick, SLOW);
  await until(async () => (await bytesRead(workstation)) > HALF_WAY, "it is being read");
  await workstation.dom0.run("systemctl kill --signal=KILL sallyport-agent");
  await workstation.pace(0);
  const again = await record("usb.removed", { since });
  expect(again.body).toMatchObject({ after: "classified", reason: expect.stringContaining("started again") });
  const attach = await record("usb.attach", { since });
  expect(attach.body).toMatchObject({ mode: "rebuild", files: 1 });
  await isHeld();
  const steps = await stepsOf(attach.body.stick, since);
  expect(steps.filter((step) => step === "classified").length).toBeGreaterThanOrEqual(2);
  expect(steps.filter((step) => step === "sealed")).toHaveLength(1);
  const [scan] = await records("usb.scan", since);
  expect(scan?.body.image.sha256).toBe(sha256(readFileSync(stick)));
  expect((await api.quarantine.list.query({})).rows).toEqual([]);
  await workstation.unplug();
  await record("usb.removed", { since, fits: ({ body }) => body.after === "attached" });
});
