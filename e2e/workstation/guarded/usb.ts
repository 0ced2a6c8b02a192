/** Promise: no stick reaches the guest but as the bytes that were scanned; whatever goes wrong, it is held, with a record. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { type Guarded, until } from "./guarded.ts";
import { bytesRead, makePartitions, makeStick, noise, sha256, VIRUS } from "./sticks.ts";

const MIB = 1024 * 1024;
const COMPOSITE = path.join(import.meta.dirname, "composite.py");
/** Slow enough that something can happen in the middle. */
const SLOW = { bytesPerSecond: 2 * MIB };
const SLOW_MIB = 16;
const HALF_WAY = 4 * MIB;
/** Where QEMU's sticks come up: what they may do, by port. */
const AUTHORISED =
  "for d in /sys/bus/usb/devices/[0-9]*-*; do case $d in *:*) ;; *) echo $(cat $d/product $d/authorized) ;; esac; done";

export function usbPromises(at: () => Guarded): void {
  const image = (name: string) => path.join(at().workstation.folder, `${name}.img`);
  const sticksOf = async () =>
    (await at().workstation.dom0.run(AUTHORISED)).split("\n").filter((line) => /HARDDRIVE/.test(line));
  const heldIn = () => until(async () => (await sticksOf()).every((line) => line.endsWith(" 0")), "the stick is held");
  const leftOnVolume = () => at().workstation.dom0.run("ls /var/lib/sallyport-agent/usb 2> /dev/null || true");
  const stepsOf = async (stick: string, since: Date) =>
    (await at().records("usb.step", since)).flatMap(({ body }) => (body.stick === stick ? [body.step as string] : []));

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
    await heldIn();
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
    await until(async () => (await leftOnVolume()) === "", "what was copied of it is gone");
  });

  it("a stick with a virus on it is blocked, with a record and an alert, and the guest gets nothing", async () => {
    const { workstation, record, records, api, id } = at();
    const stick = makeStick(image("infected"), { "good.txt": "good\n", "bad.exe": `MZ ${VIRUS}` });
    const since = new Date();
    await workstation.plug(stick);
    const scan = await record("usb.scan", { since });
    expect(scan.body).toMatchObject({ verdict: "block", rule: "infected" });
    const bad = scan.body.manifest.find((file: { path: string }) => file.path === "bad.exe");
    expect(bad).toMatchObject({ finding: "infected", detail: expect.stringContaining("Sallyport.Test") });
    await record("usb.step", { since, fits: ({ body }) => body.step === "decided" });
    await heldIn();
    expect(await records("usb.attach", since)).toEqual([]);
    expect(await workstation.guest("primary", "ls /dev")).not.toContain("xvdi");
    const [listed] = (await api.usb.list.query({ workstation: id, verdict: "block" })).rows;
    expect(listed).toBeDefined();
    await workstation.unplug();
    await record("usb.removed", { since });
  });

  it("a bad file in the second of two partitions blocks the whole stick", async () => {
    const { workstation, record, records } = at();
    const bad = { "bad.exe": `MZ ${VIRUS}` };
    const stick = makePartitions(image("two"), [{ "good.txt": "good\n" }, bad]);
    const since = new Date();
    await workstation.plug(stick);
    const scan = await record("usb.scan", { since });
    expect(scan.body).toMatchObject({ verdict: "block", rule: "infected" });
    const found = (name: string) => scan.body.manifest.find((file: { path: string }) => file.path === name);
    expect(found("good.txt")).toMatchObject({ partition: 1, finding: "clean" });
    expect(found("bad.exe")).toMatchObject({ partition: 2, finding: "infected" });
    await heldIn();
    expect(await records("usb.attach", since)).toEqual([]);
    await workstation.unplug();
    await record("usb.removed", { since });
  });

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
    await until(async () => (await leftOnVolume()) === "", "what was read of it is gone");
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
      await until(async () => (await leftOnVolume()) === "", `what was read of it is gone, after ${step}`);
    }
    expect(await workstation.guest("primary", "ls /dev")).not.toContain("xvdi");
    // what the guest may have had for a moment was taken back with it
    for (const { body } of await records("usb.attach", began))
      await record("usb.removed", { since: began, fits: (gone) => gone.body.stick === body.stick });
  });

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
    await heldIn();
    const steps = await stepsOf(attach.body.stick, since);
    expect(steps.filter((step) => step === "classified").length).toBeGreaterThanOrEqual(2);
    expect(steps.filter((step) => step === "sealed")).toHaveLength(1);
    const [scan] = await records("usb.scan", since);
    expect(scan?.body.image.sha256).toBe(sha256(readFileSync(stick)));
    expect((await api.quarantine.list.query({})).rows).toEqual([]);
    await workstation.unplug();
    await record("usb.removed", { since, fits: ({ body }) => body.after === "attached" });
  });

  it("the keyboard that was there at installation stays alive, and a second one is held", async () => {
    const { workstation, record } = at();
    const keyboards = async () =>
      (await workstation.dom0.run(AUTHORISED)).split("\n").filter((line) => line.includes("Keyboard"));
    expect(await keyboards()).toEqual(["QEMU USB Keyboard 1"]);
    const since = new Date();
    await workstation.plugDevice("usb-kbd", "second-keyboard");
    const verdict = await record("usb.verdict", { since });
    expect(verdict.body).toMatchObject({ verdict: "block", about: "device" });
    expect((await keyboards()).sort()).toEqual(["QEMU USB Keyboard 0", "QEMU USB Keyboard 1"]);
    await workstation.unplug("second-keyboard");
    await record("usb.removed", { since });
  });

  it("a stick that is also a keyboard gets no driver, whatever the rules say of its storage", async () => {
    const { workstation, record, records } = at();
    const { dom0 } = workstation;
    await dom0.run("cat > /run/composite.py && modprobe vhci-hcd", { input: readFileSync(COMPOSITE) });
    // its own controllers begin as the kernel has them: the gate closes them first
    const closed = "grep -L 0 /sys/bus/usb/devices/usb*/authorized_default";
    await until(async () => (await dom0.run(`${closed} || true`)) === "", "every controller holds what is new");
    const since = new Date();
    await dom0.run("systemd-run --quiet --unit=composite python3 /run/composite.py");
    const seen = await record("usb.device", { since, fits: ({ body }) => body.device !== undefined });
    expect(seen.body.device.interfaces).toEqual(["08:06:50", "03:01:01"]);
    const verdict = await record("usb.verdict", { since });
    expect(verdict.body).toMatchObject({ verdict: "block", about: "device" });
    const bound = "ls -d /sys/bus/usb/devices/*:*/driver | xargs -n 1 readlink -f";
    expect(
      await dom0.run(
        `for d in $(grep -l 5a11 /sys/bus/usb/devices/*/idProduct); do cat $(dirname $d)/authorized; done`,
      ),
    ).toBe("0\n");
    expect(await dom0.run(bound)).not.toMatch(/usb-storage|uas/);
    expect(await records("usb.attach", since)).toEqual([]);
    await dom0.run("systemctl stop composite");
    await record("usb.removed", { since });
  });
}
