/** What a reader that was taken over could do: the room itself, by programs of the tests' own in it, and what happens where
 *  there is none. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyRoom, startReader } from "../../src/dom0/confine.ts";
import { sandbox } from "../../src/dom0/confine-args.ts";
import { callFilter } from "../../src/dom0/confine-filter.ts";
import { readerFiles } from "../../src/dom0/own-files.ts";
import { scan } from "../../src/gate/scan.ts";
import { extImage, layOut } from "./images.ts";
import { missing } from "./packages.ts";

const absent = missing("bwrap", "mkfs.ext4");
const isRoot = process.getuid?.() === 0;
const AGENT = fileURLToPath(new URL("../../bin/sallyport-agent.mjs", import.meta.url));
const [EPERM, ENOSYS, EAGAIN] = [1, 38, 11];

/** Each a call as perl makes it, with arguments that would do. */
const CALLS = {
  "socket(AF_INET)": "41, 2, 1, 0",
  "socket(AF_INET6)": "41, 10, 2, 0",
  "socket(AF_NETLINK)": "41, 16, 3, 0",
  "socket(AF_PACKET)": "41, 17, 3, 0",
  "socket(AF_VSOCK)": "41, 40, 1, 0",
  "socket(AF_ALG)": "41, 38, 5, 0",
  ptrace: "101, 0, 0, 0, 0",
  mount: '165, my $a = "none", my $b = "/tmp", my $c = "tmpfs", 0, 0',
  fsopen: '430, my $a = "tmpfs", 0',
  keyctl: "250, 0, -3, 1",
  bpf: "321, 0, 0, 0",
  userfaultfd: "323, 1",
  io_uring_setup: "425, 8, my $a = chr(0) x 120",
  "unshare(CLONE_NEWUSER)": "272, 0x10000000",
  "clone(CLONE_NEWUSER)": "56, 0x10000011, 0, 0, 0, 0",
  setns: "308, 0, 0",
  open_by_handle_at: "304, 0, 0, 0",
  name_to_handle_at: "303, -100, 0, 0, 0, 0",
  perf_event_open: "298, 0, 0, -1, -1, 0",
  process_vm_readv: "310, 1, 0, 0, 0, 0, 0",
  chroot: '161, my $a = "/tmp"',
  mknodat: '259, -100, my $a = "/tmp/node", 0010600, 0',
  personality: "135, 0xffffffff",
  memfd_create: '319, my $a = "x", 0',
  pidfd_getfd: "438, 0, 0, 0",
  "ioctl(TIOCSTI)": '16, 0, 0x5412, my $a = "x"',
};

describe.skipIf(absent !== null)("the reader's room", () => {
  let work: string;
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "sallyport-sandbox-"));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  /** A program in it in the reader's place, with the system's programs beside it. */
  async function inside(program: string[], { folder = null as string | null, filtered = true } = {}): Promise<string> {
    const room = { ...emptyRoom(readerFiles(), { workBytes: 1_000_000, secondsMax: 60 }), folder };
    const [name = "", ...args] = sandbox(room, { nestless: false, filterFd: 3 });
    const at = args.indexOf("--seccomp");
    args.splice(at, filtered ? 0 : 2, "--ro-bind", "/usr", "/usr");
    const child = spawn(name, [...args, ...program], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
    let out = "";
    for (const stream of [child.stdout, child.stderr])
      stream!.on("data", (bytes: Buffer) => {
        out += bytes;
      });
    const filter = child.stdio[3] as Writable;
    filter.on("error", () => {});
    filter.end(callFilter());
    await once(child, "close");
    return out;
  }
  /** By name, the error number of each call; 0 where it was done. */
  async function errors(calls: Record<string, string>, options: Parameters<typeof inside>[1] = {}) {
    const lines = Object.values(calls).map(
      (call) => `$! = 0; $r = syscall(${call}); print $r < 0 ? $! + 0 : 0, "\n"; exit if $$ != $me;`,
    );
    const said = (await inside(["perl", "-e", `$| = 1; $me = $$; ${lines.join(" ")}`], options)).trim().split("\n");
    return Object.fromEntries(Object.keys(calls).map((name, at) => [name, Number(said[at])]));
  }

  for (const of of ["an image", "a folder"] as const) {
    const folder = () => (of === "a folder" ? work : null);

    it(`for ${of} refuses every system call that a reader has no need of`, async () => {
      const refused = Object.fromEntries(Object.keys(CALLS).map((name) => [name, EPERM]));
      expect(await errors(CALLS, { folder: folder() })).toEqual(refused);
      const allowed = {
        clone3: "435, 0, 0",
        "a call from the future": "4000",
        "socket(AF_UNIX)": "41, 1, 1, 0",
        getpid: "39",
      };
      expect(Object.values(await errors(allowed, { folder: folder() }))).toEqual([ENOSYS, ENOSYS, 0, 0]);
    });

    it(`for ${of} is never root's, holds no network and no other file, and ends a flood of processes`, async () => {
      const status = await inside(
        ["sh", "-c", "grep -E '^(Uid|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status; ls / /scan; cat /proc/net/dev"],
        { folder: folder() },
      );
      if (isRoot) expect(status).not.toMatch(/^Uid:\s+0/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
      // to read and search, and nothing else; nothing at all for an image
      expect(status).toMatch(isRoot && of === "a folder" ? /^CapPrm:\s+0{15}4$/m : /^CapPrm:\s+0{16}$/m);
      expect(status).not.toMatch(/^\s*eth|\betc\b|\bhome\b|\bvar\b/m);
      const flood = await inside(
        [
          "perl",
          "-e",
          'for $n (1..5000) { $p = fork; if (!defined $p) { print $!+0, " $n\n"; last } if (!$p) { sleep 60; exit } } kill 9, -1',
        ],
        { folder: folder() },
      );
      const [error, count] = flood.trim().split(" ").map(Number);
      expect(error).toBe(EAGAIN);
      expect(count).toBeLessThanOrEqual(256);
    });
  }

  it("owes that to the filter: without it most of those calls are done", async () => {
    const some = {
      inet: CALLS["socket(AF_INET)"],
      keyctl: CALLS.keyctl,
      personality: CALLS.personality,
      ptrace: CALLS.ptrace,
    };
    expect(Object.values(await errors(some, { filtered: false }))).toEqual([0, 0, 0, 0]);
  });

  it("has no interpreter and no compiler in it", () => {
    const room = emptyRoom(readerFiles(), { workBytes: 1_000_000, secondsMax: 60 });
    const given = sandbox(room, { nestless: false, filterFd: 3 });
    expect(given.filter((each) => /perl|python|gcc/.test(each) || each === "/usr" || each === "/")).toEqual(["/usr"]);
    expect(given[given.indexOf("/usr") - 1]).toBe("--dir");
  });

  describe("where the sandbox does not work", () => {
    const look = (target: string, wrapper?: string) =>
      scan(target, {
        policy: UsbSection.parse({}),
        ...{ clamd: null, start: startReader, now: () => new Date(), lanes: 1 },
        ...(wrapper !== undefined && { wrapper }),
      });
    const stick = () => extImage(join(work, "stick.img"), layOut(join(work, "tree"), { "a.txt": "a" }), "ext4");

    it.runIf(isRoot)("root reads nothing, says what failed, and asks again the next time", async () => {
      const wrapper = join(work, "wrapper");
      const works = `#!/bin/sh\nexec bwrap "$@"\n`;
      const broken = `#!/bin/sh\n[ "$1" = --help ] && exec bwrap --help\necho "bwrap: Creating new namespace failed: no room" >&2\nexit 1\n`;
      writeFileSync(wrapper, broken);
      chmodSync(wrapper, 0o755);
      const refused =
        /nothing of it is read, because the sandbox for that does not work: bwrap: Creating new namespace failed: no room\. Install bubblewrap/;
      await expect(look(stick(), wrapper)).rejects.toThrow(refused);
      await expect(look(work, wrapper)).rejects.toThrow(refused);
      await expect(look(stick(), join(work, "absent"))).rejects.toThrow(/there is no .*absent/);
      writeFileSync(wrapper, works);
      expect(await look(stick(), wrapper)).toMatchObject({ confined: "bubblewrap", manifest: [{ path: "a.txt" }] });
    });

    it.runIf(isRoot)("root's command line says so and ends with an error", () => {
      const ran = spawnSync(process.execPath, [AGENT, "scan", stick(), "--json"], {
        env: { ...process.env, PATH: work },
        encoding: "utf8",
      });
      expect(ran).toMatchObject({ status: 1, stdout: "" });
      expect(ran.stderr).toContain("the sandbox for that does not work: there is no bwrap");
    });

    it("a person who is not root gets what Node's permissions alone let be read, held, with the doubt on record", () => {
      const image = stick();
      chmodSync(work, 0o755);
      const args = [realpathSync(process.execPath), AGENT, "scan", image, "--json"];
      const [program = "", ...rest] = isRoot ? ["/usr/bin/unshare", "--user", "--map-user=1000", ...args] : args;
      const ran = spawnSync(program, rest, { env: { PATH: work, HOME: work }, encoding: "utf8" });
      expect({ status: ran.status, stderr: ran.stderr }).toEqual({
        status: 4,
        stderr: expect.stringContaining("there is no bwrap"),
      });
      const body = ScanBody.parse(JSON.parse(ran.stdout));
      expect(body).toMatchObject({
        ...{ verdict: "hold", confined: "node", manifest: [{ path: "a.txt" }] },
        problems: [expect.stringMatching(/^Node's permissions alone confined the reader: there is no bwrap/)],
      });
    });
  });
});
