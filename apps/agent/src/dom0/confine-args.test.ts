import { describe, expect, it } from "vitest";
import { bubblewrap, NOBODY, nodeAlone, probe, type Room, readerUser } from "./confine-args.ts";

const room: Room = {
  node: "/opt/node",
  code: { reader: "/src/reader", main: "main.ts", modules: "/src/node_modules", manifest: "/src/package.json" },
  socket: "/run/clamd.ctl",
  tray: null,
  folder: null,
  root: true,
  user: NOBODY,
  workBytes: 1_000,
  secondsMax: 60,
};

const wrapping = { nestless: true, filterFd: 5 };

describe("the confined reader's room", () => {
  it("has no network, no capability that stays, nobody's user, and only what it reads", () => {
    const args = bubblewrap(room, wrapping).join(" ");
    for (const part of ["--unshare-net", "--unshare-pid", "--die-with-parent", "--clearenv", "--cap-drop ALL"])
      expect(args).toContain(part);
    expect(args).toContain("setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --no-new-privs");
    expect(args).not.toMatch(/--(?:dev-)?bind /);
    expect(args.match(/--ro-bind \S+/g)).toEqual(
      ["/opt/node", "/src/reader", "/src/node_modules", "/src/package.json", "/run/clamd.ctl"].map(
        (path) => `--ro-bind ${path}`,
      ),
    );
  });

  it("writes in its own memory and, where there is one, in the scanner's tray", () => {
    const args = bubblewrap({ ...room, tray: "/trays/one" }, wrapping).join(" ");
    expect(args.match(/--(?:dev-)?bind \S+ \S+/g)).toEqual(["--bind /trays/one /tray"]);
  });

  it("has nothing of the system but libraries, 7z and what confines", () => {
    const system = bubblewrap(room, wrapping).flatMap((each, at, all) =>
      all[at - 1] === "--ro-bind-try" ? [each] : [],
    );
    expect(system).toEqual([
      ...["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/p7zip", "/usr/lib/7zip"],
      ...["/usr/bin/prlimit", "/usr/bin/setpriv", "/usr/bin/7z", "/usr/bin/sh"],
    ]);
  });

  it("keeps one privilege, to read, for a folder that may be root's, and none where we are not root", () => {
    const folder = bubblewrap({ ...room, folder: "/given" }, wrapping).join(" ");
    expect(folder).toContain("--cap-add CAP_DAC_READ_SEARCH");
    expect(folder).toContain("setpriv --reuid 65534 --regid 65534");
    expect(folder).toContain("--ambient-caps=-all,+dac_read_search");
    const person = bubblewrap({ ...room, root: false }, wrapping).join(" ");
    expect(person).toContain("--unshare-all --unshare-user --disable-userns");
    expect(bubblewrap({ ...room, root: false }, { ...wrapping, nestless: false })).not.toContain("--disable-userns");
    expect(person).not.toMatch(/--cap-add|--reuid/);
  });

  it("is tried beforehand as it will be, but for the program in it", () => {
    for (const root of [true, false]) {
      const tried = probe({ ...room, root }, wrapping);
      expect(tried.slice(-2)).toEqual(["/node", "--version"]);
      const made = bubblewrap({ ...room, root }, wrapping);
      expect(made.slice(0, tried.length - 2)).toEqual(tried.slice(0, -2));
    }
  });

  it("is bounded in memory, file size and processor time, with and without bubblewrap", () => {
    for (const args of [bubblewrap(room, wrapping), nodeAlone(room)]) {
      expect(args.join(" ")).toMatch(/prlimit --core=0 --nofile=1024 --data=2147483648 --fsize=1000 --cpu=240/);
    }
    expect(bubblewrap(room, wrapping)).toContain("--nproc=256");
    expect(nodeAlone(room).filter((arg) => arg.startsWith("--allow"))).toEqual([
      "--allow-fs-read=/src/reader",
      "--allow-fs-read=/src/package.json",
      "--allow-fs-read=/src/node_modules",
    ]);
  });

  it("is one bundle where the package brings it, with no packages beside it", () => {
    const code = { ...room.code, main: "main.js", modules: null };
    for (const args of [bubblewrap({ ...room, code }, wrapping), nodeAlone({ ...room, code })]) {
      expect(args.at(-1)).toMatch(/reader\/main\.js$/);
      expect(args.join(" ")).not.toContain("node_modules");
    }
  });

  it("has the package's own user where there is one, and never root's", () => {
    expect(readerUser("root:x:0:0::/:/bin/sh\n_sallyport-reader:x:997:996::/nonexistent:/bin/false\n")).toEqual({
      uid: 997,
      gid: 996,
    });
    for (const passwd of [
      "",
      "_sallyport-reader:x:0:0:::\n",
      "_sallyport-reader:x:what\n",
      "x_sallyport-reader:x:5:5\n",
    ])
      expect(readerUser(passwd)).toEqual(NOBODY);
  });
});
