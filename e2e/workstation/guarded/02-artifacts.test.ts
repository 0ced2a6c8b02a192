/** Promise: a machine with no way to a mirror is kept current from the console: rules and definitions that a person added
 *  there are fetched by the agent, because its policy names them, and are in force. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { ARTIFACTS, sumOf } from "./rules.ts";

const at = useGuarded();

it("rules and definitions that a person added to the console are in force, and nothing else is", async () => {
  const { workstation, reported, record } = at();
  const { sections } = (await reported())!;
  expect(sections.ids).toMatchObject({ outcome: "applied", found: { running: { loaded: 1, failed: 0 } } });
  expect(sections.usb).toMatchObject({ outcome: "applied", found: { scanner: { files: 1 } } });
  const scanner = await record("usb.scanner", {
    since: new Date(0),
    fits: ({ body }) => body.set !== undefined && body.state === "current",
  });
  expect(scanner.body.files).toEqual([{ name: "tests.ndb", sha256: sumOf("tests.ndb") }]);
  const kept = await workstation.dom0.run("cd /var/lib/sallyport-agent/artifacts && sha256sum *");
  const sums = Object.keys(ARTIFACTS).map((name) => sumOf(name as keyof typeof ARTIFACTS));
  // each lies under its own sum, as its bytes have it
  expect(kept.trim().split("\n").sort()).toEqual(sums.map((sum) => `${sum}  ${sum}`).sort());
});
