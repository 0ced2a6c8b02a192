/** What docs/guest-logs.md says of the guests' consoles is what the virtual workstation's dom0 does, and what Debian's script
 *  reads. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const [, line] = /```xen\n(.*)\n```/.exec(read("../docs/guest-logs.md")) ?? [];

it("xenconsoled writes the consoles down by the line that the page shows", () => {
  expect(line).toMatch(/^XENCONSOLED_ARGS=/);
  expect(read("../e2e/workstation/dom0/etc/default/xen").split("\n")).toContain(line);
});

it("the workstation starts it with the variable that the line sets, as Debian does", () => {
  const [name] = line!.split("=");
  expect(read("../e2e/workstation/dom0/usr/local/sbin/xen-daemons")).toMatch(new RegExp(`xenconsoled \\$${name} `));
});

const SCRIPT = "/etc/init.d/xen";
it.skipIf(!existsSync(SCRIPT))("this machine's own script reads it", () => {
  const [name] = line!.split("=");
  expect(readFileSync(SCRIPT, "utf8")).toContain(`$${name} `);
});
