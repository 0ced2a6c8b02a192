/** Promise: a policy that cuts the network undoes itself: whatever it blocks, the agent's own way to the console lies outside
 *  of it, so the next policy arrives and gives back what was cut. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { until } from "./guarded.ts";
import { GUESTS } from "./rules.ts";

const at = useGuarded();

/** Where dom0 reaches the console from here (machine.ts): named, so that no default alone is what is tried. */
const CONSOLE = "10.0.2.100";
const CUT = {
  otherwise: "block",
  rules: ["in", "out"].flatMap((direction) => [
    { name: `no console ${direction}`, verdict: "block", direction, to: CONSOLE },
    { name: `nobody ${direction}`, verdict: "block", direction },
  ]),
};

it("one that blocks everything, the console by its address, cuts the guests and not the agent; the next one gives back", async () => {
  const { workstation, enforce, record, api, id } = at();
  const shell = () => workstation.dom0.run(`echo 'echo through; exit' | busybox nc -w 3 primary 2323 2>&1 || true`);
  expect(await shell()).toContain("through");
  const since = new Date();
  await enforce({ network: CUT }, "Nobody speaks to anybody");
  expect(await shell()).not.toContain("through");
  const dropped = await record("net.drop", { since, fits: ({ body }) => body.destination === GUESTS.primary });
  expect(dropped.body.rule).toMatch(/nobody in/);
  expect((await api.workstation.get.query({ id })).row.presence).toBe("online");
  await enforce({}, "As before");
  await until(async () => (await shell()).includes("through"), "the guest's shell is back");
});
