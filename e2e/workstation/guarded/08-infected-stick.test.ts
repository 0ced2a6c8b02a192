/** Promise: a stick with a test virus on it, wherever it lies, is held, with a record and an alert, and the guest gets nothing. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { gateOf } from "./gate.ts";
import { makePartitions, makeStick, VIRUS } from "./sticks.ts";

const at = useGuarded();
const { image, isHeld } = gateOf(at);

it("a stick with a virus on it is blocked, with a record and an alert, and the guest gets nothing", async () => {
  const { workstation, record, records, api, id } = at();
  const stick = makeStick(image("infected"), { "good.txt": "good\n", "bad.exe": `MZ ${VIRUS}` });
  const since = new Date();
  await workstation.plug(stick);
  const scan = await record("usb.scan", { since });
  expect(scan.body).toMatchObject({ verdict: "block", rule: "infected" });
  const bad = scan.body.manifest.find((file: { path: string }) => file.path === "bad.exe");
  expect(bad).toMatchObject({ finding: "infected", detail: expect.stringContaining("Sallyport.Test") });
  // clamd's user opened it where the reader had laid it
  const log = await workstation.dom0.run("cat /var/log/clamav/clamav.log");
  expect(log).toMatch(/ \/var\/lib\/clamav\/sallyport\.tray\/[^ ]+: Sallyport\.Test\S* FOUND$/m);
  await record("usb.step", { since, fits: ({ body }) => body.step === "decided" });
  await isHeld();
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
  await isHeld();
  expect(await records("usb.attach", since)).toEqual([]);
  await workstation.unplug();
  await record("usb.removed", { since });
});
