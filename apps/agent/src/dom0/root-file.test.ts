import { expect, it } from "vitest";
import { simDom0 } from "../sim/sim.ts";
import { realDom0 } from "./real.ts";
import { faultOfRootFile } from "./root-file.ts";

const FILE = "/etc/xen/guests/work.cfg";

it.each<[string, (dom0: ReturnType<typeof simDom0>) => void, string | undefined]>([
  ["root's own, with all above it", () => {}, undefined],
  ["that others may read", (dom0) => dom0.own(FILE, { mode: 0o644 }), undefined],
  ["of somebody else", (dom0) => dom0.own(FILE, { uid: 1000 }), `${FILE} belongs to user 1000`],
  ["that its group may write", (dom0) => dom0.own(FILE, { mode: 0o664 }), "others than root (mode 664)"],
  ["that anybody may write", (dom0) => dom0.own(FILE, { mode: 0o646 }), "others than root (mode 646)"],
  [
    "in a folder of somebody else",
    (dom0) => dom0.own("/etc/xen/guests", { uid: 7 }),
    "/etc/xen/guests belongs to user 7",
  ],
  [
    "below a folder that anybody may write",
    (dom0) => dom0.own("/etc/xen", { mode: 0o1777 }),
    "/etc/xen can be written",
  ],
  ["that is a link", (dom0) => dom0.link(FILE), `${FILE} is a symbolic link`],
  ["that is a folder", (dom0) => dom0.write(`${FILE}/a`, ""), `${FILE} is no regular file`],
  ["that is not there", (dom0) => dom0.remove(FILE), `there is no ${FILE}`],
])("a file %s", async (_name, change, words) => {
  const dom0 = simDom0();
  dom0.write(FILE, 'name = "work"');
  dom0.write("/etc/xen/guests/other.cfg", "");
  change(dom0);
  const fault = await faultOfRootFile(dom0, FILE);
  if (words === undefined) expect(fault).toBeUndefined();
  else expect(fault).toContain(words);
});

it("on this machine the list of users is root's alone, and what lies in /tmp is not", async () => {
  expect(await faultOfRootFile(realDom0, "/etc/passwd")).toBeUndefined();
  expect(await faultOfRootFile(realDom0, "/tmp")).toBe("/tmp is no regular file");
  expect(await faultOfRootFile(realDom0, "/dev/null")).toBe("/dev/null is no regular file");
});
