import { describe, expect, it } from "vitest";
import { bubblewrap, NOBODY, nodeAlone, type Room } from "./confine-args.ts";

const room: Room = {
  node: "/opt/node",
  code: { reader: "/src/reader", modules: "/src/node_modules", manifest: "/src/package.json" },
  socket: { path: "/run/clamd.ctl", group: 120 },
  folder: null,
  root: true,
  user: NOBODY,
  workBytes: 1_000,
  secondsMax: 60,
};

describe("the confined reader's room", () => {
  it("has no network, no capability that stays, nobody's user, and only what it reads", () => {
    const args = bubblewrap(room).join(" ");
    for (const part of ["--unshare-net", "--unshare-pid", "--die-with-parent", "--clearenv", "--cap-drop ALL"])
      expect(args).toContain(part);
    expect(args).toContain("setpriv --reuid 65534 --regid 65534 --groups 120 --inh-caps=-all --no-new-privs");
    expect(args).not.toMatch(/--(?:dev-)?bind /);
    expect(args.match(/--ro-bind \S+/g)).toEqual(
      ["/usr", "/opt/node", "/src/reader", "/src/node_modules", "/src/package.json", "/run/clamd.ctl"].map(
        (path) => `--ro-bind ${path}`,
      ),
    );
  });

  it("keeps one privilege, to read, for a folder that may be root's, and none where we are not root", () => {
    const folder = bubblewrap({ ...room, folder: "/given" }).join(" ");
    expect(folder.match(/--cap-add \S+/g)).toEqual(["--cap-add CAP_DAC_READ_SEARCH"]);
    const person = bubblewrap({ ...room, root: false }).join(" ");
    expect(person).toContain("--unshare-all");
    expect(person).not.toMatch(/--cap-add|setpriv/);
  });

  it("is bounded in memory, file size and processor time, with and without bubblewrap", () => {
    for (const args of [bubblewrap(room), nodeAlone(room)]) {
      expect(args.join(" ")).toMatch(/prlimit --core=0 --nofile=1024 --data=2147483648 --fsize=1000 --cpu=240/);
    }
    expect(nodeAlone(room).filter((arg) => arg.startsWith("--allow"))).toEqual([
      "--allow-fs-read=/src/reader",
      "--allow-fs-read=/src/node_modules",
      "--allow-fs-read=/src/package.json",
    ]);
  });
});
