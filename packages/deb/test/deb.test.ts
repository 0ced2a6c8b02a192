/** The package in fresh Debian roots: what a machine gets, keeps over an upgrade under load, and is left with. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { printToken } from "@sallyport/shared/workstation/enrolment.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TRAYS } from "../../../apps/agent/src/dom0/scanner-tray.ts";
import { enrolLine, packageLine } from "../../../apps/web/src/enrol/line.ts";
import { packagesOf } from "../../../apps/web/src/enrol/packages.ts";
import { type Stack, startStack } from "../../up/src/start.ts";
import { build } from "../src/build.ts";
import { publicKey, repository } from "../src/repository.ts";
import { preferencesText, SOURCES, sourcesText } from "../src/upgrades.ts";
import { archiveHas, Root } from "./root.ts";
import { serveState } from "./served.ts";

const PROGRAMS = { mmdebstrap: "mmdebstrap", lintian: "lintian", gpg: "gnupg", strip: "binutils" };
const absent = Object.entries({ ...PROGRAMS, "dpkg-scanpackages": "dpkg-dev" })
  .filter(([name]) => !existsSync(`/usr/bin/${name}`))
  .map(([, from]) => from);
const isRoot = process.getuid?.() === 0;
if (absent.length > 0 && process.env.CI) throw new Error(`absent: sudo apt-get install ${absent.join(" ")}`);
if (absent.length > 0 || !isRoot)
  process.stderr.write(
    absent.length > 0 ? `left out: sudo apt-get install ${absent.join(" ")}\n` : "left out: installing needs root\n",
  );

const EPOCH = 1_795_000_000;
const OLD = "0.9.0";
const NEW = "0.9.1";
const LINES = 2_000;
const WAIT_MS = 120_000;
const DEPENDS = [
  "7zip",
  "adduser",
  "bubblewrap",
  "clamav-daemon",
  "cryptsetup-bin",
  "init-system-helpers",
  "iproute2",
  "libstdc++6",
  "nftables",
  "ulogd2",
  "ulogd2-json",
  "util-linux",
];
const DRIVEN = ["bwrap", "7z", "clamd", "cryptsetup", "dmsetup", "nft", "ulogd", "wipefs"];
const COMMAND = join(import.meta.dirname, "../src/deb.ts");
const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };

const USERS = ["_sallyport-reader", "_sallyport-ids", "_sallyport-drops"];
/** Whose each is: what is followed by the agent lies in folders that their writers cannot make files in. */
const OWNED = {
  "/var/lib/sallyport-agent": "700 root:root",
  "/var/lib/sallyport-ids": "750 root:_sallyport-ids",
  "/var/lib/sallyport-ids/log": "750 root:_sallyport-ids",
  "/var/lib/sallyport-ids/log/eve.json": "640 _sallyport-ids:_sallyport-ids",
  "/var/lib/sallyport-ids/run": "750 _sallyport-ids:_sallyport-ids",
  "/var/log/sallyport-agent": "750 root:_sallyport-drops",
  "/var/log/sallyport-agent/drops.json": "640 _sallyport-drops:_sallyport-drops",
  "/var/log/sallyport-agent/ulogd.log": "640 _sallyport-drops:_sallyport-drops",
};
const TRAY_UNIT = "var-lib-clamav-sallyport.tray.mount";
/** What `systemd-analyze security` may say of each at most, in tenths: none comes open again unseen. */
const EXPOSURE: Record<string, number> = {
  "sallyport-agent.service": 58,
  "sallyport-usb-hold.service": 26,
  "sallyport-firewall.service": 48,
  "sallyport-drops.service": 18,
  "sallyport-ids.service": 25,
  // Xen's toolstack, with nothing taken from it
  "sallyport-guest@.service": 97,
};

const line = (at: number) =>
  `${JSON.stringify({ timestamp: "2026-11-24T08:46:00.000001+0000", flow_id: at, event_type: "dns", src_ip: "10.0.0.5", dest_ip: "10.0.0.1", proto: "UDP", dns: { type: "query", rrname: `n${at}.example` } })}\n`;

const here = absent.length === 0 && isRoot && (await archiveHas("trixie"));

describe.runIf(here)("the agent's Debian package", () => {
  let work: string;
  let debs: { old: string; new: string };
  let trixie: Root;
  /** Made while the other is used; its test waits for it. */
  let bookworm: Promise<Root>;
  let stack: Stack;
  let client: pg.Client;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), "sallyport-deb-test-"));
    const pack = (version: string) => build({ version, out: work, epoch: EPOCH, compression: "gzip" });
    const packed = async () => {
      debs = { old: await pack(OLD), new: await pack(NEW) };
      bookworm = Root.make("bookworm", [], [debs.new]);
      bookworm.catch(() => {});
    };
    [trixie] = await Promise.all([Root.make("trixie", [...DEPENDS, "systemd", "man-db"]), packed()]);
    stack = await startStack({ stateFolder: join(work, "console"), ports: PORTS, console: false, agent: false });
    client = new pg.Client({ connectionString: stack.databaseUrl });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await stack?.stop();
    trixie?.remove();
    (await bookworm?.catch(() => undefined))?.remove();
    if (work) rmSync(work, { recursive: true, force: true });
  });

  /** As the Enrol page makes it. */
  async function newToken(note: string): Promise<string> {
    const secret = randomBytes(32).toString("base64url");
    const ca = new X509Certificate(readFileSync(stack.keys.ca)).raw;
    const { rows } = await client.query<{ id: string }>('SELECT id FROM "group" LIMIT 1');
    await client.query(
      `INSERT INTO enrol_token (hash, group_id, labels, note, expires, created_by)
       VALUES ($1, $2, '{}', $3, now() + interval '15 minutes', 'test')`,
      [createHash("sha256").update(secret).digest(), rows[0]?.id, note],
    );
    return printToken({
      url: `https://localhost:${stack.ports.listen}`,
      ca: createHash("sha256").update(ca).digest("hex") as Sha256,
      secret,
    });
  }

  const install = (root: Root, deb: string) =>
    root.run("apt-get", "install", "-y", "-q", "--no-install-recommends", root.bring(deb));

  async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
    for (const end = Date.now() + WAIT_MS; ; await delay(100)) {
      const found = await look();
      if (found) return found;
      if (Date.now() > end) throw new Error(`not within ${WAIT_MS / 1000} s: ${what}`);
    }
  }

  it("is the same file when it is built twice from one commit", async () => {
    const again = join(work, "again");
    const file = await build({ version: OLD, out: again, epoch: EPOCH, compression: "gzip" });
    const sum = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
    expect(sum(file)).toBe(sum(debs.old));
  });

  it("brings the pages that the agent's sentences name", () => {
    const listed = execFileSync("dpkg-deb", ["--contents", debs.old], { encoding: "utf8" });
    for (const page of ["usb-gate", "firewall", "ids", "disk", "approvers", "configuration"])
      expect(listed).toContain(` ./usr/share/doc/sallyport-agent/docs/${page}.md\n`);
  });

  it("has nothing that lintian calls an error or a warning, but for what its overrides explain", () => {
    expect(() =>
      execFileSync("lintian", ["--fail-on", "error,warning", debs.old], { encoding: "utf8", stdio: "pipe" }),
    ).not.toThrow();
  });

  it("says which versions and addresses it refuses", async () => {
    for (const version of ["", "v1", "1 2", "../1", "1:1"])
      await expect(build({ version, out: work, epoch: EPOCH })).rejects.toThrow("is no Debian version");
    const repository = { key: "-----BEGIN PGP PUBLIC KEY BLOCK-----", url: "http://plain.example.org" };
    await expect(build({ version: OLD, out: work, epoch: EPOCH, repository })).rejects.toThrow("no https:// address");
  });

  describe("installed on trixie", () => {
    let agent: ChildProcess | undefined;
    const eve = () => join(trixie.folder, "var/log/suricata/eve.json");
    afterAll(() => agent?.kill("SIGKILL"));

    const start = () => {
      agent = trixie.start("/usr/bin/sallyport-agent", "run");
      agent.stderr?.resume();
      return agent;
    };
    const status = async () => {
      const { out } = await trixie.run("sallyport-agent", "status", "--json");
      return JSON.parse(out) as { spool?: { records: number } };
    };
    const stored = async () => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT convert_from(content, 'UTF8')::jsonb #>> '{body,event,dns,rrname}' AS name FROM record
          WHERE kind = 'ids.event' ORDER BY trail, index`,
      );
      return rows.map(({ name }) => name);
    };

    const owners = async () => {
      const { out } = await trixie.run("stat", "-c", "%n %a %U:%G", ...Object.keys(OWNED));
      return Object.fromEntries(
        out
          .trim()
          .split("\n")
          .map((each) => [each.slice(0, each.indexOf(" ")), each.slice(each.indexOf(" ") + 1)]),
      );
    };
    const exposure = (name: string) =>
      trixie.run(
        "systemd-analyze",
        "security",
        "--offline=yes",
        `--threshold=${EXPOSURE[name]}`,
        `/usr/lib/systemd/system/${name}`,
      );

    it("installs, makes users of its own, and says what this machine lacks", async () => {
      const { code, out } = await install(trixie, debs.old);
      expect({ code, out }).toEqual({ code: 0, out: expect.any(String) });
      expect(out).toContain("there is no Suricata here");
      expect(out).toContain("every stick is held");
      for (const user of USERS)
        expect(readFileSync(join(trixie.folder, "etc/passwd"), "utf8")).toMatch(
          new RegExp(`^${user}:.*:/usr/sbin/nologin$`, "m"),
        );
      expect(await owners()).toEqual(OWNED);
      expect((await trixie.run("stat", "-c", "%a %U", "/var/lib/sallyport-agent")).out.trim()).toBe("700 root");
      expect((await trixie.run("sallyport-agent", "--version")).out.trim()).toBe(OLD);
      expect((await trixie.run("dpkg", "--verify", "sallyport-agent")).out.trim()).toBe("");
      expect((await trixie.run("man", "-P", "cat", "sallyport-agent")).out).toContain("sanitized workstation");
    });

    it("has what it drives also where nothing that is recommended comes along", async () => {
      for (const program of DRIVEN)
        expect((await trixie.run("sh", "-c", `command -v ${program}`)).code, program).toBe(0);
      const { out } = await trixie.run("dpkg-query", "--status", "sallyport-agent");
      const depends = /^Depends: (.*)$/m
        .exec(out)?.[1]
        ?.split(", ")
        .map((each) => each.split(/[ |]/)[0]);
      for (const name of DEPENDS) expect(depends).toContain(name);
    });

    it("has a unit that systemd accepts and calls well confined, and is enabled", async () => {
      const unit = "/usr/lib/systemd/system/sallyport-agent.service";
      expect(await trixie.run("systemd-analyze", "verify", "--man=no", unit)).toEqual({ code: 0, out: "" });
      const safe = await exposure("sallyport-agent.service");
      expect(safe).toEqual({ code: 0, out: expect.any(String) });
      expect(trixie.has("etc/systemd/system/multi-user.target.wants/sallyport-agent.service")).toBe(true);
    });

    it("has units for USB and the ruleset at boot, the log of drops, the detector and guests, each of them accepted, and enabled but for the last", async () => {
      const lacking = ["usr/bin/suricata", "usr/sbin/ulogd", "usr/sbin/xl"].filter((program) => !trixie.has(program));
      for (const program of lacking) await trixie.run("install", "-m", "755", "/bin/true", `/${program}`);
      for (const name of Object.keys(EXPOSURE).filter((each) => each !== "sallyport-agent.service")) {
        const unit = `/usr/lib/systemd/system/${name}`;
        expect(await trixie.run("systemd-analyze", "verify", "--man=no", unit)).toEqual({ code: 0, out: "" });
        expect(await exposure(name)).toEqual({ code: 0, out: expect.any(String) });
      }
      for (const program of lacking) await trixie.run("rm", `/${program}`);
      const tray = `/usr/lib/systemd/system/${TRAY_UNIT}`;
      expect(await trixie.run("systemd-analyze", "verify", "--man=no", tray)).toEqual({ code: 0, out: "" });
      const named = (await trixie.run("systemd-escape", "--path", "--suffix=mount", TRAYS)).out.trim();
      expect(named).toBe(TRAY_UNIT);
      expect(readFileSync(join(trixie.folder, tray), "utf8")).toContain(`Where=${TRAYS}\n`);
      for (const wanted of [
        "multi-user.target.wants/sallyport-drops.service",
        "multi-user.target.wants/sallyport-ids.path",
      ])
        expect(trixie.has(`etc/systemd/system/${wanted}`)).toBe(true);
      for (const name of ["sallyport-firewall.service", "sallyport-usb-hold.service"])
        expect(trixie.has(`etc/systemd/system/sysinit.target.wants/${name}`)).toBe(true);
      const early = readFileSync(join(trixie.folder, "usr/lib/systemd/system/sallyport-firewall.service"), "utf8");
      expect(early).toMatch(/After=.*nftables\.service[\s\S]*Before=network-pre\.target/);
    });

    it("reads a stick's image in its sandbox as its own user, and holds it where there is no scanner", async () => {
      const image = join(trixie.folder, "root/stick.img");
      writeFileSync(image, randomBytes(1_048_576));
      const { code, out } = await trixie.run("sallyport-agent", "scan", "/root/stick.img", "--json");
      expect({ code, out }).toEqual({ code: 4, out: expect.stringContaining('"verdict":"hold"') });
      expect(out).toContain('"confined":"bubblewrap"');
      expect(out).toContain('"scanner":null');
      // a folder of root's own as well, though the reader is never root
      await trixie.run("install", "-D", "-m", "600", "/root/stick.img", "/root/folder/letter");
      const folder = await trixie.run("sallyport-agent", "scan", "/root/folder", "--json");
      expect(folder).toEqual({ code: 4, out: expect.stringContaining('"path":"letter","size":1048576') });
    });

    it("enrols with a token", async () => {
      const enrolled = await trixie.run("sallyport-agent", "enrol", await newToken("package"), "--name", "packaged");
      expect(enrolled).toEqual({ code: 0, out: expect.stringContaining("this machine answers as no Xen dom0") });
      expect(trixie.has("var/lib/sallyport-agent/config.json")).toBe(false);
      mkdirSync(join(trixie.folder, "var/log/suricata"), { recursive: true });
      writeFileSync(
        join(trixie.folder, "var/lib/sallyport-agent/config.json"),
        JSON.stringify({ eve: ["/var/log/suricata/eve.json"] }),
      );
    });

    it("is killed and upgraded with a full spool while the console is away, and every line arrives once", async () => {
      await stack.children.get("worker")!.stop();
      writeFileSync(eve(), "");
      const first = start();
      for (let at = 0; at < LINES; at++) appendFileSync(eve(), line(at));
      await until(async () => ((await status().catch(() => undefined))?.spool?.records ?? 0) >= LINES, "a full spool");
      first.kill("SIGKILL");
      await once(first, "close");
      // as an older version left it, all root's
      await trixie.run(
        "sh",
        "-c",
        "chown -R 0:0 /var/log/sallyport-agent /var/lib/sallyport-ids; chmod 700 /var/log/sallyport-agent",
      );
      await trixie.run(
        "sh",
        "-c",
        "rm /var/log/sallyport-agent/ulogd.log; mkdir /var/lib/sallyport-agent/ids; touch /var/lib/sallyport-agent/ids/suricata.yaml",
      );
      const upgraded = await install(trixie, debs.new);
      expect(upgraded).toEqual({ code: 0, out: expect.any(String) });
      expect(await owners()).toEqual(OWNED);
      expect(trixie.has("var/lib/sallyport-agent/ids/suricata.yaml")).toBe(false);
      expect((await status()).spool?.records).toBeGreaterThanOrEqual(LINES);
      stack.children.get("worker")!.start();
      start();
      await until(async () => (await stored()).length >= LINES, "all lines");
      expect(await stored()).toEqual(Array.from({ length: LINES }, (_, at) => `n${at}.example`));
      const version = async () =>
        (await client.query<{ agent_version: string }>("SELECT agent_version FROM workstation")).rows[0]?.agent_version;
      await until(async () => (await version()) === NEW, "the new version on the console");
      expect(await client.query("SELECT 1 FROM quarantine")).toMatchObject({ rowCount: 0 });
    });

    it("keeps its keys when it is removed, and nothing when it is purged", async () => {
      agent?.kill("SIGTERM");
      if (agent?.exitCode === null) await once(agent, "close");
      expect(await trixie.run("apt-get", "remove", "-y", "-q", "sallyport-agent")).toEqual({
        code: 0,
        out: expect.any(String),
      });
      expect(trixie.has("usr/lib/sallyport-agent")).toBe(false);
      expect(trixie.has("var/lib/sallyport-agent/enrolment/enrolment.json")).toBe(true);
      expect(await trixie.run("apt-get", "purge", "-y", "-q", "sallyport-agent")).toEqual({
        code: 0,
        out: expect.any(String),
      });
      expect(trixie.has("var/lib/sallyport-agent")).toBe(false);
      expect(trixie.has("etc/systemd/system/multi-user.target.wants/sallyport-agent.service")).toBe(false);
      for (const folder of ["var/lib/sallyport-ids", "var/log/sallyport-agent"]) expect(trixie.has(folder)).toBe(false);
      expect(readFileSync(join(trixie.folder, "etc/passwd"), "utf8")).not.toContain("_sallyport");
    });
  });

  describe("from an apt repository", () => {
    let home: string;
    let server: Awaited<ReturnType<typeof serveState>>;
    const state = () => join(trixie.folder, "srv");
    const served = () => join(state(), "packages");
    const url = () => `${server.origin}/packages`;
    const key = (name: string) => {
      execFileSync("gpg", ["--batch", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "2y"], {
        env: { ...process.env, GNUPGHOME: home },
        stdio: "pipe",
      });
      return name;
    };
    const release = "releases@example.org";
    const next = "next@example.org";
    /** apt takes no release that is older than the one before, or of the future. */
    const now = () => Math.floor(Date.now() / 1000);
    const pack = async (version: string, out: string, signer = release) => {
      const upgrades = { key: await publicKey(signer), url: url() };
      return build({ version, out, epoch: EPOCH, compression: "gzip", repository: upgrades });
    };
    const version = async () => (await trixie.run("sallyport-agent", "--version")).out.trim();
    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), "gpg-"));
      process.env.GNUPGHOME = home;
      key(release);
      server = await serveState(state(), stack.keys.listener);
      // this machine trusts the console's certificate, and has no other source
      trixie.bring(stack.keys.ca, "/etc/console.crt");
      writeFileSync(join(trixie.folder, "etc/apt/apt.conf.d/console"), 'Acquire::https::CAInfo "/etc/console.crt";\n');
      rmSync(join(trixie.folder, "etc/apt/sources.list"), { force: true });
    });
    afterAll(() => {
      server?.close();
      execFileSync("gpgconf", ["--kill", "all"], { env: { ...process.env, GNUPGHOME: home } });
      delete process.env.GNUPGHOME;
      rmSync(home, { recursive: true, force: true });
    });

    it("is named in the Enrol page's one line, which installs, enrols and starts, and stops where the sum is another", async () => {
      // as `npm run deb -- --repository …` makes it
      const to = ["--repository", served(), "--key", release, "--url", url(), "--version", "1.0.0", "--fast"];
      const command = (...more: string[]) =>
        execFileSync(process.execPath, [COMMAND, ...to, ...more], { encoding: "utf8", stdio: "pipe" });
      const said = command();
      expect(said).toContain(`Built ${served()}/sallyport-agent_1.0.0_amd64.deb\n`);
      expect(said).toContain(`${served()} is an apt repository, signed by ${release}`);
      expect(said).toMatch(/^The release key ends on 20\d\d-\d\d-\d\d\. .* never/m);
      // another package of a version that was released is refused, and changes nothing
      const released = readFileSync(join(served(), "sallyport-agent_1.0.0_amd64.deb"));
      expect(() => command("--url", `${url()}/moved`)).toThrow("1.0.0 was released");
      expect(readFileSync(join(served(), "sallyport-agent_1.0.0_amd64.deb")).equals(released)).toBe(true);
      const list = "etc/apt/sources.list.d/sallyport.sources";
      const { sources } = packagesOf(state())!;
      const run = async (sum: string) => {
        const enrol = enrolLine("sallyport-agent", await newToken("one line"));
        // nothing runs here that could start it: systemctl says so and ends well
        return trixie.run("env", "SYSTEMD_OFFLINE=1", "sh", "-c", packageLine(server.origin, sum, enrol));
      };
      expect((await run("0".repeat(64))).code).not.toBe(0);
      expect([trixie.has(list), trixie.has("usr/bin/sallyport-agent")]).toEqual([false, false]);

      const { code, out } = await run(sources!);
      expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("Enrolled as workstation") });
      expect(out).toMatch(/ignoring command 'start'/);
      expect(await version()).toBe("1.0.0");
      const { rows } = await client.query("SELECT uses, used FROM enrol_token WHERE note = 'one line' ORDER BY used");
      expect(rows).toEqual([expect.objectContaining({ used: 0 }), expect.objectContaining({ used: 1 })]);
      // the package brings the very file that the line fetched, and so asks nobody which to keep
      expect((await trixie.run("dpkg", "--verify", "sallyport-agent")).out.trim()).toBe("");
      expect(readFileSync(join(served(), SOURCES), "utf8")).toBe(readFileSync(join(trixie.folder, list), "utf8"));
    });

    it("upgrades under the release key, and refuses another key's or a changed package", async () => {
      await pack("1.1.0", served());
      await repository({ folder: served(), key: release, epoch: now(), url: url() });
      const update = () => trixie.run("apt-get", "update");
      const upgrade = () => trixie.run("apt-get", "install", "-y", "-q", "--only-upgrade", "sallyport-agent");
      expect(await update()).toEqual({ code: 0, out: expect.any(String) });
      expect(await upgrade()).toEqual({ code: 0, out: expect.any(String) });
      expect(await version()).toBe("1.1.0");

      // who serves it puts a package of their own in its place, with sums that fit
      await pack("1.2.0", served());
      await repository({ folder: served(), key: key("thief@example.org"), epoch: now() });
      expect((await update()).out).toMatch(/could not be verified|NO_PUBKEY|Missing key/);
      await upgrade();
      expect(await version()).toBe("1.1.0");

      // the right key, but the package was changed after it had been signed
      await repository({ folder: served(), key: release, epoch: now() });
      appendFileSync(join(served(), "sallyport-agent_1.2.0_amd64.deb"), "x");
      expect(await update()).toEqual({ code: 0, out: expect.any(String) });
      expect((await upgrade()).code).not.toBe(0);
      expect(await version()).toBe("1.1.0");
      rmSync(join(served(), "sallyport-agent_1.2.0_amd64.deb"));
    });

    it("brought by hand, a package of another key is taken, and from then on that key's alone are", async () => {
      const deb = await pack("1.3.0", served(), key(next));
      expect(await install(trixie, deb)).toEqual({ code: 0, out: expect.any(String) });
      expect(await version()).toBe("1.3.0");
      await repository({ folder: served(), key: release, epoch: now() });
      expect((await trixie.run("apt-get", "update")).out).toMatch(/could not be verified|NO_PUBKEY|Missing key/);
    });

    it("takes the agent from nowhere else, and nothing else from there; removed, it leaves an apt that works", async () => {
      const other = join(trixie.folder, "srv/other");
      mkdirSync(other, { recursive: true });
      const names = { "sallyport-agent": other, libc6: served() };
      for (const [name, folder] of Object.entries(names)) {
        const tree = mkdtempSync(join(work, "foreign-"));
        mkdirSync(join(tree, "DEBIAN"));
        const fields = { Package: name, Version: "99.0", Architecture: "amd64", Maintainer: "Nobody <n@example.org>" };
        const text = Object.entries({ ...fields, Description: "not what it says" }).map((each) => each.join(": "));
        writeFileSync(join(tree, "DEBIAN/control"), `${text.join("\n")}\n`);
        execFileSync("dpkg-deb", ["--root-owner-group", "-b", tree, join(folder, `${name}_99.0_amd64.deb`)]);
      }
      await repository({ folder: served(), key: next, epoch: now() });
      await repository({ folder: other, key: key("other@example.org"), epoch: now() });
      // another repository of this machine, trusted as any
      const server = createServer((request, response) => {
        const file = join(other, basename(request.url ?? ""));
        response.statusCode = existsSync(file) ? 200 : 404;
        response.end(existsSync(file) ? readFileSync(file) : "");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const list = join(trixie.folder, "etc/apt/sources.list.d/other.sources");
      const text = sourcesText({ key: await publicKey("other@example.org"), url: "https://other.example.org" });
      writeFileSync(list, text.replace("https://other.example.org", at));
      const apt = (...args: string[]) => trixie.run("apt-get", "-o", "APT::Sandbox::User=root", ...args);
      const candidate = async (name: string) =>
        /Candidate: (\S+)/.exec((await trixie.run("apt-cache", "policy", name)).out)?.[1];
      try {
        expect(await apt("update")).toEqual({ code: 0, out: expect.any(String) });
      } finally {
        server.close();
      }
      expect([await candidate("sallyport-agent"), await candidate("libc6")]).toEqual([
        "1.3.0",
        expect.not.stringMatching(/^99/),
      ]);
      // it is the preferences that say so
      const preferences = join(trixie.folder, "etc/apt/preferences.d/sallyport");
      const pins = readFileSync(preferences, "utf8");
      writeFileSync(preferences, "");
      expect([await candidate("sallyport-agent"), await candidate("libc6")]).toEqual(["99.0", "99.0"]);
      writeFileSync(preferences, pins);

      // a host that the machine takes other packages from: that record would keep those back
      const template = join(trixie.folder, "usr/share/sallyport-agent/apt-preferences");
      const shipped = readFileSync(template, "utf8");
      const mirror = join(trixie.folder, "etc/apt/sources.list.d/mirror.list");
      const configure = () => trixie.run("/var/lib/dpkg/info/sallyport-agent.postinst", "configure", "1.1.0");
      writeFileSync(template, preferencesText("https://deb.example.org/packages"));
      writeFileSync(mirror, "deb https://deb.example.org/debian trixie main\n");
      expect((await configure()).out).toContain("other packages come from deb.example.org too");
      expect(readFileSync(preferences, "utf8")).not.toContain("Package: *");
      expect(readFileSync(preferences, "utf8")).toContain("Package: sallyport-agent");
      rmSync(mirror);
      expect((await configure()).out).not.toContain("deb.example.org");
      expect(readFileSync(preferences, "utf8")).toContain("Package: *");
      writeFileSync(template, shipped);
      await configure();
      expect(readFileSync(preferences, "utf8")).toBe(pins);

      expect(await apt("remove", "-y", "-q", "sallyport-agent")).toEqual({ code: 0, out: expect.any(String) });
      rmSync(list);
      expect(await apt("update")).toEqual({ code: 0, out: expect.not.stringContaining("not signed") });
      expect(await apt("purge", "-y", "-q", "sallyport-agent")).toEqual({ code: 0, out: expect.any(String) });
      for (const path of ["sources.list.d/sallyport.sources", "preferences.d/sallyport"])
        expect(trixie.has(join("etc/apt", path)), path).toBe(false);
    });

    it("is not made without a secret key, or of nothing", async () => {
      await expect(repository({ folder: work, key: "nobody@example.org", epoch: EPOCH })).rejects.toThrow(
        "no secret key",
      );
      // whoever holds the second would bring every workstation a new agent
      for (const again of [1, 2]) key(`twice ${again} <twice@example.org>`);
      await expect(publicKey("twice@example.org")).rejects.toThrow("fits 2 secret keys");
      const empty = mkdtempSync(join(work, "empty-"));
      await expect(repository({ folder: empty, key: "nobody@example.org", epoch: EPOCH })).rejects.toThrow(
        "holds no .deb",
      );
    });
  });

  it("installs on bookworm with what apt chooses there, brings all that it drives, and says that no IDS fits", async () => {
    const root = await bookworm;
    const said = readFileSync(join(root.folder, "root/said"), "utf8");
    expect(said).toContain("Suricata 7 comes with Debian 13 (trixie); this release has none that fits.");
    for (const program of DRIVEN)
      expect([program, (await root.run("sh", "-c", `command -v ${program}`)).code]).toEqual([program, 0]);
    expect((await root.run("sallyport-agent", "--version")).out.trim()).toBe(NEW);
  });
});
