/** Promise: a stick that answers otherwise when it is read again gives the guest what it gave the scanner, byte for byte. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { gateOf } from "./gate.ts";
import { makeStick, sha256, VIRUS } from "./sticks.ts";

const CHANGING = path.join(import.meta.dirname, "changing.py");
const BLOCK = 512;

const at = useGuarded();
const { isClosed } = gateOf(at);

it("a stick that is clean at first and bad from then on is read once, and its second answer reaches nobody", async () => {
  const { workstation, record, records } = at();
  const { dom0 } = workstation;
  const image = path.join(workstation.folder, "changing.img");
  const good = `${"what the scanner saw ".repeat(200)}\n`;
  const first = readFileSync(makeStick(image, { "letter.txt": good }, 1));
  const second = Buffer.from(first);
  const where = second.indexOf("what the scanner saw");
  second.write(VIRUS, where);
  await dom0.run("cat > /run/changing.py && modprobe vhci-hcd", { input: readFileSync(CHANGING) });
  await dom0.run("cat > /run/first.img", { input: first });
  await dom0.run("cat > /run/second.img", { input: second });
  await isClosed();
  const since = new Date();
  await dom0.run(
    "systemd-run --quiet --unit=changing python3 /run/changing.py /run/first.img /run/second.img /run/counts",
  );
  const attach = await record("usb.attach", { since });
  const [scan] = await records("usb.scan", since);
  expect(scan?.body).toMatchObject({ verdict: "allow", image: { sha256: sha256(first), size: first.length } });
  const counts = JSON.parse(await dom0.run("cat /run/counts")) as number[];
  expect(counts[where / BLOCK], "the block that changes was read once").toBe(1);
  const disk = `/dev/${attach.body.handles[0]}`;
  if (attach.body.mode === "image")
    expect(await workstation.guest("primary", `sha256sum < ${disk}`)).toContain(sha256(first));
  expect(await workstation.guest("primary", `grep -c ${VIRUS} ${disk} || true`)).toBe("0\n");
  expect(await workstation.guest("primary", `grep -c 'what the scanner saw' ${disk} || true`)).not.toBe("0\n");
  // the stick itself is cut off: nobody reads its second answer
  const own = "for d in $(grep -l 5a12 /sys/bus/usb/devices/*/idProduct); do cat $(dirname $d)/authorized; done";
  expect(await dom0.run(own)).toBe("0\n");
  await dom0.run("systemctl stop changing");
  await record("usb.removed", { since });
  expect(JSON.parse(await dom0.run("cat /run/counts"))[where / BLOCK]).toBe(1);
});
