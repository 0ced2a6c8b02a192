/** A guest that has the real Suricata write as fast as it can: the folder stays small, nothing is lost between two files,
 *  what is held back is counted, and another guest's alert and a stick's record arrive. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import type { AgentMalformed } from "@sallyport/shared/record/agent.ts";
import type { GuestSuppressed } from "@sallyport/shared/record/guest.ts";
import type { IdsAlert } from "@sallyport/shared/record/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectorYaml } from "../../src/appliers/ids-yaml.ts";
import { socketOf, suricata } from "../../src/dom0/detector.ts";
import { logFiles } from "../../src/dom0/log-files.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import { boundedFiles } from "../../src/sources/follow/bound.ts";
import { whoseAddress } from "../../src/sources/guest.ts";
import type { Outlet } from "../../src/sources/source.ts";
import { makeNamespaces, type Namespaces, unable } from "../network/namespaces.ts";
import { until } from "../sources/outlet.ts";
import { openHere } from "../sources/spool.ts";
import { realSuricata } from "./suricata.ts";

const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const MIB = 1024 * 1024;
const FILE_BYTES_MAX = 2 * MIB;
const BYTES_MAX = 24 * MIB;
/** What may be written between two looks on a busy machine. */
const SLACK_BYTES = 32 * MIB;
/** It floods until so much was written. */
const WRITTEN_BYTES = 96 * MIB;

const FLOOD = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(64):
        s.sendto(b"a sallyport", ("10.1.0.1", 5000))
    time.sleep(0.005)
`;
const ONCE = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"a sallyport", ("10.1.0.1", 5000))`;

let folder: string;
let spaces: Namespaces;
let here: ReturnType<typeof openHere>;
let stopDetector: () => Promise<void>;
const stop = new AbortController();
const running: Promise<void>[] = [];
const emitted: Observation[] = [];
const suppressed = new Map<string, number>();
/** Files that are gone. */
const gone: { bytes: number; lines: number }[] = [];

function lines(path: string): number {
  const bytes = readFileSync(path);
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, each) => all + each, 0);
const logs = () => readdirSync(join(folder, "log")).map((name) => join(folder, "log", name));
const folderBytes = () => sum(logs().map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0));

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-flood-"));
  spaces = await makeNamespaces(["dom0", "noisy", "quiet"]);
  await spaces.ip("dom0", "link add xenbr0 type bridge", "link set xenbr0 up", "addr add 10.1.0.1/24 dev xenbr0");
  for (const [at, guest] of ["noisy", "quiet"].entries()) {
    await spaces.ip(
      "dom0",
      `link add vif${at}.0 type veth peer name eth0 netns ${spaces.of(guest as "noisy")}`,
      `link set vif${at}.0 master xenbr0`,
      `link set vif${at}.0 up`,
    );
    await spaces.ip(guest as "noisy", `addr add 10.1.0.${at + 2}/24 dev eth0`, "link set eth0 up");
  }
  const { program, classification, reference } = (await realSuricata())!;
  const config = {
    interface: "xenbr0",
    folder,
    addresses: ["10.1.0.2", "10.1.0.3"],
    threads: 2,
    classification,
    reference,
  };
  for (const path of [join(folder, "log"), dirname(socketOf(folder))]) mkdirSync(path, { recursive: true });
  writeFileSync(join(folder, "suricata.yaml"), detectorYaml(config, {}, false));
  writeFileSync(join(folder, "threshold.config"), "");
  writeFileSync(
    join(folder, "detector.rules"),
    'alert udp any any -> any 5000 (msg:"probe"; content:"sallyport"; sid:1000001; rev:1;)\n',
  );
  const detector = suricata(realDom0, { folder, program });
  const args = ["-c", join(folder, "suricata.yaml"), "--af-packet", "-l", join(folder, "log")];
  spaces.spawn("dom0", program[0]!, [...program.slice(1), ...args]);
  const runs = () =>
    detector.ask("version").then(
      () => true,
      () => false,
    );
  await until(runs, "the detector runs");
  stopDetector = async () => {
    await detector.ask("shutdown");
    await until(async () => !(await runs()), "the detector has ended");
  };

  here = openHere(join(folder, "state"));
  const outlet: Outlet = {
    ...here.outlet,
    admits(line, bytes) {
      const admitted = here.intake.admits(line, bytes);
      if (!admitted) suppressed.set(line.guest ?? "", (suppressed.get(line.guest ?? "") ?? 0) + 1);
      return admitted;
    },
    async emit(parcel) {
      const answer = await here.intake.emit(parcel);
      emitted.push(...parcel.observations);
      return answer;
    },
  };
  const path = join(folder, "log/eve.json");
  const guests = ["noisy", "quiet"].map((id, at) => ({ id: id as GuestId, addresses: [`10.1.0.${at + 2}`] }));
  const followed = eveFile({ path, dom0: realDom0, graceMs: 100, whose: whoseAddress(guests, []) });
  const bounded = boundedFiles({
    name: path,
    kind: "eve",
    paths: async () => [path],
    reopen: async () => void (await detector.ask("reopen-log-files")),
    dom0: realDom0,
    files: {
      ...logFiles,
      remove(path) {
        gone.push({ bytes: statSync(path).size, lines: lines(path) });
        return logFiles.remove(path);
      },
    },
    fileBytesMax: FILE_BYTES_MAX,
    bytesMax: BYTES_MAX,
    lookEveryMs: 50,
  });
  running.push(followed.run(outlet, stop.signal), bounded.run(outlet, stop.signal));
}, 300_000);

afterAll(async () => {
  stop.abort();
  await Promise.allSettled(running);
  await spaces?.remove();
  here?.intake.close();
  here?.spool.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const givenUp = ({ body }: Observation): number => {
  const bytes = Number(/^(\d+) bytes were given up/.exec((body as AgentMalformed).reason)?.[1]);
  return gone.find((file) => file.bytes === bytes)?.lines ?? Number.NaN;
};

describe.skipIf(absent)("a guest that floods the detector", { timeout: 300_000 }, () => {
  let largest = 0;

  it("does not fill dom0's disk, and hides neither another guest's alert nor a stick", async () => {
    const flood = spaces.spawn("noisy", "/usr/bin/python3", ["-c", FLOOD]);
    await until(() => gone.length > 0, "a file was moved aside, read and taken away");
    const stick: Observation = { kind: "usb.device", severity: "info", time: Date.now(), text: "a stick", body: {} };
    expect(await here.intake.emit({ observations: [stick] })).toMatchObject({ kept: 1, refused: 0 });
    const started = performance.now();
    const isHeard = () =>
      emitted.some(({ kind, body }) => kind === "ids.alert" && (body as IdsAlert).source === "10.1.0.3");
    let quietly = 0;
    for (let written = 0; written < WRITTEN_BYTES; await delay(10)) {
      if (performance.now() - started > quietly * 500) {
        quietly++;
        await spaces.run("quiet", "/usr/bin/python3", "-c", ONCE);
      }
      const there = folderBytes();
      largest = Math.max(largest, there);
      written = sum(gone.map(({ bytes }) => bytes)) + there;
      expect(performance.now() - started, "the flood goes on").toBeLessThan(90_000);
    }
    const heardInFlood = isHeard();
    flood.kill();
    expect(largest).toBeLessThan(BYTES_MAX + SLACK_BYTES);
    // what the detector did not see at all is in its own count of packets
    for (const began = performance.now(); !isHeard(); await delay(100)) {
      await spaces.run("quiet", "/usr/bin/python3", "-c", ONCE);
      expect(performance.now() - began, "the other guest's alert becomes a record").toBeLessThan(90_000);
    }
    process.stderr.write(`flood: the other guest was heard ${heardInFlood ? "in the middle of it" : "behind it"}\n`);
  });

  it("is counted: each line is a record or in the count of what was held back", async () => {
    await stopDetector();
    const written = sum([...gone.map(({ lines }) => lines), ...logs().map(lines)]);
    // a file that was taken away unread is told with its bytes
    const seen = () => {
      const unread = emitted.filter(({ kind }) => kind === "agent.malformed").map(givenUp);
      return emitted.filter(({ kind }) => kind.startsWith("ids.")).length + sum(suppressed.values()) + sum(unread);
    };
    await until(() => seen() === written, `each of ${written} lines is accounted for`);
    const alerts = emitted.filter(({ kind }) => kind === "ids.alert").length;
    expect(suppressed.get("noisy")).toBeGreaterThan(10 * alerts);
    expect(suppressed.get("quiet")).toBeUndefined();
    here.intake.close();
    const told = here.spool
      .read(0, 1_000_000, Number.POSITIVE_INFINITY)
      .records.filter(({ entry }) => (JSON.parse(entry) as { kind: string }).kind === "guest.suppressed")
      .map(({ content }) => (JSON.parse(content!) as { body: GuestSuppressed }).body);
    expect(told.every(({ via, reason }) => via === "detector" && reason === "rate")).toBe(true);
    expect(told.reduce((all, { lines }) => all + lines, 0)).toBe(suppressed.get("noisy"));
    process.stderr.write(
      `flood: ${written} lines, ${alerts} alerts kept, ${suppressed.get("noisy")} held back, folder at most ${Math.round(largest / MIB)} MiB\n`,
    );
  });
});
