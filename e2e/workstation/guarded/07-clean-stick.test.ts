/** Promise: no stick reaches the guest but as the bytes that were scanned: a clean one is there, rebuilt, with the right hash. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { gateOf, MIB } from "./gate.ts";
import { until } from "./guarded.ts";
import { bytesRead, makeStick, noise, sha256 } from "./sticks.ts";

const at = useGuarded();
const { image, isHeld, isForgotten, stepsOf } = gateOf(at);

it("a clean stick is held, read once, scanned by clamd, and its rebuilt copy is in the guest with the right hash", async () => {
  const { workstation, record, records } = at();
  const report = noise(3 * MIB);
  const stick = makeStick(image("clean"), { "report.bin": report, "letter.txt": "Dear guest,\n" });
  const since = new Date();
  await workstation.plug(stick);
  const attach = await record("usb.attach", { since });
  expect(attach.body).toMatchObject({ mode: "rebuild", verified: true, files: 2, handles: ["xvdi"] });
  const whole = sha256(readFileSync(stick));
  const [scan] = await records("usb.scan", since);
  expect(scan?.body).toMatchObject({
    ...{ verdict: "allow", confined: "bubblewrap", image: { sha256: whole, size: 8 * MIB } },
    scanner: { engine: expect.stringMatching(/^ClamAV 1\./) },
  });
  expect(await stepsOf(attach.body.stick, since)).toEqual([
    "held",
    "classified",
    "copied",
    "sealed",
    "listed",
    "scanned",
    "decided",
  ]);
  // once, but for what the kernel itself looks at for partitions
  expect(await bytesRead(workstation)).toBeLessThan(8 * MIB * 1.2);
  await isHeld();
  const look = "mkdir -p /tmp/stick && mount -t exfat -o ro /dev/xvdi1 /tmp/stick && sha256sum /tmp/stick/report.bin";
  expect(await workstation.guest("primary", look)).toContain(sha256(report));
  expect(await workstation.guest("primary", "cat /tmp/stick/letter.txt /sys/block/xvdi/ro")).toBe("Dear guest,\n1\n");
  await workstation.guest("primary", "umount /tmp/stick");
  await workstation.unplug();
  await record("usb.removed", { since });
  await until(
    async () => (await workstation.guest("primary", "ls /dev")).includes("xvdi") === false,
    "the guest has lost it",
  );
  await isForgotten();
});
