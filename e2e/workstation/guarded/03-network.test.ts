/** Promise: dom0 lets through what the policy says, names the rule of what it drops, and its detector sees the guests' wire. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import type { Found } from "./guarded.ts";
import { GUESTS, MARKER } from "./rules.ts";

const at = useGuarded();

/** What the primary guest hears from a port of the second. */
const ask = (port: number, said: string, seconds = 10) =>
  at().workstation.guest("primary", `echo '${said}' | nc -w ${seconds} ${GUESTS.second} ${port}`);

it("what a rule allows passes; what a rule blocks, or none names, is dropped with a record that names why", async () => {
  const { reported, record, workstation } = at();
  expect((await reported())?.sections.network).toMatchObject({ outcome: "applied" });
  expect(await ask(2323, "echo passed; exit")).toBe("passed\n");
  const since = new Date();
  for (const port of [23, 8080]) await expect(ask(port, "", 3)).rejects.toThrow(/ended with/);
  const from = { source: GUESTS.primary, destination: GUESTS.second };
  const named = await record("net.drop", { since, fits: ({ body }) => body.destinationPort === 23 });
  expect(named.body).toMatchObject({ ...from, rule: "rule 3 no telnet" });
  const other = await record("net.drop", { since, fits: ({ body }) => body.destinationPort === 8080 });
  expect(other.body).toMatchObject({ ...from, rule: "otherwise out" });
  // who is not who it says is dropped first
  const liar = "10.77.0.9";
  const lie = `ip addr add ${liar}/24 dev eth0; ping -c 1 -W 3 -I ${liar} ${GUESTS.second}; ip addr del ${liar}/24 dev eth0`;
  await workstation.guest("primary", lie);
  const spoofed = await record("net.drop", { since, fits: ({ body }) => body.source === liar });
  expect(spoofed.body.rule).toBe("spoofed");
});

it("what the detector's rules speak of is an alert on the console", async () => {
  const { record, reported, api } = at();
  const { sections } = (await reported())!;
  expect(sections.ids).toMatchObject({ outcome: "applied", found: { running: { loaded: 1, failed: 0 } } });
  const since = new Date();
  await ask(2323, `echo ${MARKER}; exit`);
  // the shell that was told to say it came by the same wire
  const between = ({ body }: Found) => body.source === GUESTS.primary && body.destination === GUESTS.second;
  const alert = await record("ids.alert", { since, fits: between });
  expect(alert.body).toMatchObject({ signatureId: 9_000_001 });
  const { rows } = await api.alert.list.query({});
  expect(rows.map(({ title }) => title).join()).toContain("marker");
});
