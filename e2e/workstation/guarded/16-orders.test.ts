/** Promise: what the console tells a workstation is done there, each state of it is shown, and its inverse takes it back. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { type Guarded, until } from "./guarded.ts";
import { commandLine } from "./persons.ts";
import { GUESTS, USB } from "./rules.ts";
import { makeStick, sha256 } from "./sticks.ts";

/** Tells the workstation, and follows the order to its end: sent by the console, received and done on the trail. */
async function tell(at: Guarded, verb: Verb, args: Record<string, string>): Promise<{ id: string; reason: string }> {
  const { api, id: workstation, record } = at;
  const since = new Date();
  const order = { verb, arguments: args, minutes: 30, reason: `a test of ${verb}` };
  const { id } = await api.command.send.mutate({ workstation, name: "desk", ...order });
  const listed = async () => (await api.command.list.query({ workstation })).rows.find((row) => row.id === id)!.state;
  expect((await listed()).state).toBe("sent");
  const own = ({ body }: { body: { command?: string } }) => body.command === id;
  expect((await record("command.received", { since, fits: own })).body).toMatchObject({ verb });
  expect((await record("command.done", { since, fits: own })).body).toMatchObject({ outcome: "done" });
  const done = await until(async () => {
    const state = await listed();
    return state.state !== "sent" && state.state !== "received" && state;
  }, `the end of ${verb}`);
  if (done.state !== "done") throw new Error(`${verb}: ${JSON.stringify(done)}`);
  return { id, reason: done.reason ?? "" };
}

const at = useGuarded();

it("isolated, the guest reaches nobody and the agent stays connected; released, what the policy allows passes again", async () => {
  const { workstation, api, id, record } = at();
  // says what it sees by the Xen channel, which is no network; one that is cut in the middle would wait for hours
  const probe = `echo "echo through; exit" | timeout 6 nc -w 2 ${GUESTS.second} 2323 2> /dev/null | grep -q through`;
  const look = `while [ ! -e /tmp/probed ]; do ${probe} && echo probe passed || echo probe stopped; sleep 2; done`;
  const says = (what: string, since: Date) =>
    record("guest.log", { since, fits: ({ text }) => text.includes(`probe ${what}`) });
  const began = new Date();
  await workstation.guest("primary", `rm -f /tmp/probed; (${look}) < /dev/null > /dev/hvc1 2>&1 &`);
  await says("passed", began);
  const end = new Date(Date.now() + 1_800_000).toISOString();
  try {
    const { reason } = await tell(at(), "isolate", { until: end });
    expect(reason).toContain(`cut until ${end}`);
    const cut = new Date();
    await says("stopped", cut);
    const { row } = await api.workstation.get.query({ id });
    expect(row.presence).toBe("online");
  } finally {
    await tell(at(), "release", {});
  }
  await says("passed", new Date());
  await workstation.guest("primary", "touch /tmp/probed");
});

it("a pack of diagnostics arrives", async () => {
  const since = new Date();
  const { id } = await tell(at(), "diagnostics", {});
  const { body } = await at().record("command.diagnostics", { since, fits: (found) => found.body.command === id });
  const part = (name: string) => body.parts.find((each: { name: string }) => each.name === name)?.text;
  expect(part("xl list")).toMatch(/^primary\s+\d+/m);
  expect(part("xl dmesg")).toContain("Xen version");
  expect(part("nftables")).toContain("table bridge sallyport");
});

it("a stick that the guest has is scanned again, and goes where the definitions of now find something on it", async () => {
  const { workstation, enforce, record, records } = at();
  const [stick, later] = ["later.img", "later.ndb"].map((name) => path.join(workstation.folder, name)) as [
    string,
    string,
  ];
  const letter = "nobody knows yet that this is a worm\n";
  makeStick(stick, { "letter.txt": letter }, 2);
  writeFileSync(later, `Sallyport.Later:0:*:${Buffer.from(letter).toString("hex")}\n`);
  await (await commandLine(at()))("artifact", "add", "later.ndb");
  await enforce({ usb: { ...USB, rescan: false } }, "Scanned again by a person's word alone");
  const since = new Date();
  await workstation.plug(stick);
  const attach = await record("usb.attach", { since });
  const definitions = [...USB.definitions, { name: "later.ndb", sha256: sha256(readFileSync(later)) }];
  // they are no reason to scan it here, so that the order is
  const came = new Date();
  await enforce({ usb: { ...USB, rescan: false, definitions } }, "What was found out since");
  await record("usb.scanner", {
    since: came,
    fits: ({ body }) => body.state === "current" && body.files?.length === 2,
  });
  expect(await records("usb.scan", came)).toEqual([]);
  expect((await tell(at(), "rescan", {})).reason).toBe("1 images are scanned again");
  const scan = await record("usb.scan", { since: came });
  expect(scan.body).toMatchObject({ verdict: "block", rule: "infected" });
  const verdict = await record("usb.verdict", { since: came, fits: ({ body }) => body.stick === attach.body.stick });
  expect(verdict.text).toMatch(/scanned again with .*, and policy would block what is on it/);
  const disk = `/dev/${attach.body.handles[0]}`;
  const gone = async () => !(await workstation.guest("primary", `ls ${disk} 2> /dev/null || true`)).includes(disk);
  await until(gone, "the guest has lost it");
  await workstation.unplug();
  await record("usb.removed", { since: came });
});

it("a guest is paused, goes on, is ended, and is started again by an order", async () => {
  const { workstation } = at();
  const state = async () => /^second\s.*$/m.exec(await workstation.dom0.run("xl list"))?.[0] ?? "gone";
  expect((await tell(at(), "pause", { guest: "second" })).reason).toContain("stands still");
  expect(await state()).toMatch(/ --p---/);
  await tell(at(), "resume", { guest: "second" });
  expect(await state()).not.toMatch(/ --p---/);
  expect(await workstation.guest("second", "echo goes on")).toBe("goes on\n");
  await tell(at(), "destroy-guest", { guest: "second" });
  expect(await state()).toBe("gone");
  expect((await tell(at(), "start-guest", { guest: "second" })).reason).toMatch(/^second \(domain \d+\) was started$/);
  const answers = () => workstation.guest("second", "echo is back").catch(() => "");
  await until(async () => (await answers()) === "is back\n", "the second guest's shell");
  // xl's monitor lives in the guest's own unit, and so does not end with the agent's
  const group = "systemctl show --property=ControlGroup --value sallyport-guest@etc-xen-guests-second.cfg.service";
  const lives = `for pid in $(cat "/sys/fs/cgroup$(${group})/cgroup.procs"); do cat /proc/$pid/comm; done`;
  expect((await workstation.dom0.run(lives)).split("\n")).toContain("xl");
  expect((await tell(at(), "start-guest", { guest: "second" })).reason).toContain("runs already");
});
