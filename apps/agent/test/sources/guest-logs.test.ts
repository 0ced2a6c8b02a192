/** docs/guest-logs.md: each sample is read as it says, and rsyslog is run with the very configuration it shows. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { describe, expect, it } from "vitest";
import { receiveUdp } from "../../src/dom0/udp.ts";
import { guestMap } from "../../src/sources/guest.ts";
import { type Replayed, replay } from "../../src/sources/replay.ts";
import { parseLine } from "../../src/sources/syslog/line.ts";
import { syslogTcp } from "../../src/sources/syslog/tcp.ts";
import { syslogUdp } from "../../src/sources/syslog/udp.ts";
import { place, run, until } from "./outlet.ts";

const page = readFileSync(new URL("../../../../docs/guest-logs.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```([^\n]+)\n([\s\S]*?)^```$/gm)].map(([, head = "", text = ""]) => ({
  head,
  text,
}));
const samples = blocks
  .filter(({ head }) => head.startsWith("sample "))
  .flatMap(({ head, text }) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => [head.split(" ")[1]!, head.split(" ")[2]!, line] as const),
  );

async function read(source: Replayed, line: string): Promise<Observation[]> {
  const found: Observation[] = [];
  const input = (async function* () {
    yield Buffer.from(`${line}\n`);
  })();
  for await (const each of replay(source, "/x/guest-work.log", input, () => 0)) found.push(each);
  return found;
}

describe("the page on guest logs", () => {
  it("has samples", () => expect(samples.length).toBeGreaterThan(10));

  it.each(samples)("%s is read as %s: %s", async (source, form, line) => {
    if (source === "hostless")
      return expect(parseLine(line, "hostless")).toMatchObject({ format: form, app: "systemd", process: "1" });
    const records = await read(source as Replayed, line);
    expect(records).toHaveLength(1);
    const [record] = records;
    if (source === "ulogd")
      return expect(record).toMatchObject({ kind: form, body: { in: "vif-work", rule: "block-smtp" } });
    const body = record?.body as GuestLog;
    expect(body).toMatchObject({ format: form, raw: line });
    if (form === "snare")
      expect(body.event).toMatchObject({ computer: "PC-7", eventId: expect.stringMatching(/^\d+$/) });
    if (form === "rfc5424")
      expect(body).toMatchObject({ claimedHost: expect.stringMatching(/^(work|PC-7)$/), app: expect.any(String) });
    if (form === "rfc3164")
      expect(body).toMatchObject({ claimedHost: "work", app: "sshd", process: "21285", level: 6, facility: 10 });
  });
});

const has = (program: string) =>
  access(program).then(
    () => true,
    () => false,
  );

/** rsyslogd with these lines behind a socket of its own. */
async function rsyslog(lines: string): Promise<{ log: (text: string[]) => Promise<void>; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "rsyslog-"));
  const socket = join(folder, "log");
  await writeFile(
    join(folder, "rsyslog.conf"),
    `global(workDirectory="${folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" RateLimit.Interval="0")
${lines}`,
  );
  const daemon = spawn("/usr/sbin/rsyslogd", ["-n", "-f", join(folder, "rsyslog.conf"), "-i", join(folder, "pid")], {
    stdio: "ignore",
  });
  await until(() => has(socket), "rsyslog listens");
  return {
    async log(text) {
      await writeFile(join(folder, "lines"), `${text.join("\n")}\n`);
      await promisify(execFile)("logger", ["-u", socket, "-t", "app", "-f", join(folder, "lines")]);
    },
    async stop() {
      daemon.kill();
      await once(daemon, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

describe("rsyslog with the page's configuration", () => {
  const absent = (test: { skip: (why: string) => void }) => async () => {
    if (await has("/usr/sbin/rsyslogd")) return false;
    if (process.env.CI) throw new Error("rsyslogd is missing: apt install rsyslog");
    test.skip("needs rsyslogd: apt install rsyslog");
    return true;
  };
  const needs = { guests: guestMap([]), whose: () => undefined, now: Date.now, receive: receiveUdp };
  const lines = Array.from({ length: 200 }, (_, at) => `line ${at} <13>1 - é`);
  const fromApp = (source: ReturnType<typeof run>) =>
    source.kept.observations.map(({ body }) => body as GuestLog).filter(({ app }) => app === "app");

  it("sends every line once and in order", async (test) => {
    if (await absent(test)()) return;
    const source = run(syslogTcp({ address: { host: "127.0.0.1", port: 0 }, ...needs }));
    const port = (await place(source)).split(":").at(-1)!;
    const action = blocks
      .find(({ head }) => head === "rsyslog")!
      .text.replace("10.0.0.1", "127.0.0.1")
      .replace('"5514"', `"${port}"`);
    const daemon = await rsyslog(action);
    try {
      await daemon.log(lines);
      await until(() => fromApp(source).length >= lines.length, "all lines came");
      expect(fromApp(source).map(({ message }) => message.trim())).toEqual(lines);
      expect(fromApp(source).every(({ format }) => format === "rfc5424")).toBe(true);
    } finally {
      await daemon.stop();
      await source.stop();
    }
  });

  it.for([
    ["@@", syslogTcp],
    ["@", syslogUdp],
  ] as const)("traditional forwarding by %s is read as well", async ([sign, listen], test) => {
    const forward = /`(\*\.\* @@10\.0\.0\.1:5514)`/.exec(page)![1]!;
    if (await absent(test)()) return;
    const source = run(listen({ address: { host: "127.0.0.1", port: 0 }, ...needs }));
    const port = (await place(source)).split(":").at(-1)!;
    const daemon = await rsyslog(forward.replace("@@10.0.0.1:5514", `${sign}127.0.0.1:${port}`));
    try {
      await daemon.log(lines.slice(0, 20));
      await until(() => fromApp(source).length >= 20, "all lines came");
      expect(fromApp(source).map(({ message }) => message.trim())).toEqual(lines.slice(0, 20));
      expect(
        fromApp(source).every(({ format, claimedHost }) => format === "rfc3164" && claimedHost !== undefined),
      ).toBe(true);
    } finally {
      await daemon.stop();
      await source.stop();
    }
  });
});

describe("logger with the page's arguments", () => {
  it("is read with its own host and app", async () => {
    const nobody = { guests: guestMap([]), whose: () => undefined };
    const source = run(syslogTcp({ address: { host: "127.0.0.1", port: 0 }, ...nobody, now: Date.now }));
    const port = (await place(source)).split(":").at(-1)!;
    const [, words] = /`logger (--server [^`]+) "done"`/.exec(page)!;
    const args = words!.replace("10.0.0.1", "127.0.0.1").replace("5514", port).split(" ");
    try {
      await promisify(execFile)("logger", [...args, "done"]);
      await until(() => source.kept.observations.length > 0, "the line came");
      expect(source.kept.observations[0]?.body).toMatchObject({
        ...{ format: "rfc5424", app: "backup", message: "done" },
        claimedHost: expect.any(String),
      });
    } finally {
      await source.stop();
    }
  });
});
