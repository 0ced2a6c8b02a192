/** Promise: what a guest says is kept where it cannot reach it, stamped by the way it came. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { CHANNEL } from "./guarded.ts";
import { GUESTS } from "./rules.ts";

const at = useGuarded();

const heard = (since: Date, text: string) =>
  at().record("guest.log", { since, fits: (found) => found.text.includes(text) });

it("by syslog over its vif, whatever host it claims to be", async () => {
  const since = new Date();
  await at().workstation.guest("primary", "logger -t probe 'said over the vif'");
  const line = await heard(since, "said over the vif");
  expect(line).toMatchObject({ guest: "primary", body: { via: "udp", from: GUESTS.primary, app: "probe" } });
  await at().workstation.guest("second", "logger -t probe 'said by the second'");
  expect(await heard(since, "said by the second")).toMatchObject({ guest: "second" });
});

it("by its console, which xenconsoled writes down", async () => {
  const since = new Date();
  await at().workstation.guest("second", "echo 'said on the console' > /dev/hvc0");
  const line = await heard(since, "said on the console");
  expect(line).toMatchObject({ guest: "second", body: { via: "console" } });
});

it("by a Xen channel, with no network between, its escapes shown and not obeyed", async () => {
  const since = new Date();
  await at().workstation.guest(
    "primary",
    "printf '<38>Nov 24 08:00:00 sshd[7]: said in the channel \\033[2J\\n' > /dev/hvc1",
  );
  const line = await heard(since, "said in the channel");
  expect(line).toMatchObject({
    guest: "primary",
    body: { via: "channel", from: CHANNEL, app: "sshd", process: "7" },
  });
  expect(line.text).not.toContain("\u001b");
});
