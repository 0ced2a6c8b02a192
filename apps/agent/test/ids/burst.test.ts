/** The real detector while it gets no processor time, as on a busy machine: what comes meanwhile waits in its rings. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectorYaml } from "../../src/appliers/ids-yaml.ts";
import { type Detector, socketOf, suricata } from "../../src/dom0/detector.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { type Namespaces, unable } from "../network/namespaces.ts";
import { until } from "../sources/outlet.ts";
import { guestOnBridge } from "./bridge.ts";
import { realSuricata } from "./suricata.ts";

const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const BURST_BYTES = 16_000_000;

/** One flow, so that one thread's ring must hold all of it. */
const BURST = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(${BURST_BYTES} // 1400): s.sendto(b"x" * 1400, ("10.1.0.1", 5000))
s.sendto(b"behind the burst", ("10.1.0.1", 5000))
`;
/** Five seconds of a packet now and then, each of which might open a block of its own. */
const TRICKLE = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(1000):
    s.sendto(b"x" * 100, ("10.1.0.1", 5000))
    time.sleep(0.005)
s.sendto(b"behind the trickle", ("10.1.0.1", 5000))
`;
/** As a guest's card hands it over: segments of 64 KiB. */
const DOWNLOAD = `
import socket, threading
listening = socket.create_server(("10.1.0.1", 8080))
def serve():
    other, _ = listening.accept()
    other.sendall(b"x" * ${BURST_BYTES} + b"behind the download")
    other.close()
serve()
`;
const FETCH = `
import socket
s = socket.create_connection(("10.1.0.1", 8080))
while s.recv(1 << 20): pass
`;

let folder: string;
let spaces: Namespaces;
let detector: Detector;
let child: ReturnType<Namespaces["spawn"]>;

const runs = () =>
  detector.ask("version").then(
    () => true,
    () => false,
  );
const seen = async () => (await detector.ask("iface-stat", { iface: "xenbr0" })) as { pkts: number; drop: number };
const ONCE = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.1.0.1", 5000))`;
const isHeard = (signature: number) =>
  readFileSync(join(folder, "log/eve.json"), "utf8").includes(`"signature_id":${signature},`);

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-burst-"));
  spaces = await guestOnBridge();
  const { program, classification, reference } = (await realSuricata())!;
  const config = { interface: "xenbr0", folder, addresses: ["10.1.0.2"], threads: 2, classification, reference };
  for (const path of [join(folder, "log"), dirname(socketOf(folder))]) mkdirSync(path, { recursive: true });
  writeFileSync(join(folder, "suricata.yaml"), detectorYaml(config, {}, false));
  writeFileSync(join(folder, "threshold.config"), "");
  const rules = ["burst", "trickle", "download"].map(
    (word, at) => `alert ip any any -> any any (msg:"${word}"; content:"behind the ${word}"; sid:${at + 1}; rev:1;)\n`,
  );
  writeFileSync(join(folder, "detector.rules"), rules.join(""));
  detector = suricata(realDom0, { folder, program });
  const args = ["-c", join(folder, "suricata.yaml"), "--af-packet", "-l", join(folder, "log")];
  child = spaces.spawn("dom0", program[0]!, [...program.slice(1), ...args]);
  await until(runs, "the detector runs");
  const isSeen = async () => {
    await spaces.run("guest", "/usr/bin/python3", "-c", ONCE);
    return (await seen().catch(() => ({ pkts: 0 }))).pkts > 0;
  };
  await until(isSeen, "it sees packets");
}, 300_000);
afterAll(async () => {
  await spaces?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(absent)("a detector that gets no time", { timeout: 300_000 }, () => {
  const stopped = async (work: () => Promise<unknown>) => {
    child.kill("SIGSTOP");
    try {
      await work();
    } finally {
      child.kill("SIGCONT");
    }
  };
  const guest = (script: string) => spaces.run("guest", "/usr/bin/python3", "-c", script);

  it.each<[string, number, () => Promise<unknown>]>([
    ["a burst of 16 MB", 1, () => guest(BURST)],
    ["five seconds of a quiet wire", 2, () => guest(TRICKLE)],
    [
      "a download of 16 MB",
      3,
      async () => {
        spaces.spawn("dom0", "/usr/bin/python3", ["-c", DOWNLOAD]);
        await until(async () => (await spaces.run("dom0", "ss", "-ltn")).includes(":8080"), "it listens");
        await guest(FETCH);
      },
    ],
  ])("sees all of %s afterwards", async (_, signature, work) => {
    await stopped(work);
    await until(() => isHeard(signature), "what came last is an alert").catch(() => {});
    expect({ dropped: (await seen()).drop, isHeard: isHeard(signature) }).toEqual({ dropped: 0, isHeard: true });
  });
});
