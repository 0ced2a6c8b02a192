/** The detector's applier with the real Suricata on a guest's bridge, and its alerts as records. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { IdsSection } from "@sallyport/shared/policy/ids.ts";
import type { IdsAlert } from "@sallyport/shared/record/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IdsParts, idsApplier } from "../../src/appliers/ids.ts";
import { ArtifactError, artifacts } from "../../src/artifact/artifacts.ts";
import { artifactStore } from "../../src/dom0/artifact-store.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { type Detector, suricata } from "../../src/dom0/detector.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import { type Namespaces, unable } from "../network/namespaces.ts";
import { keeper, type Running, run } from "../sources/outlet.ts";
import { guestOnBridge } from "./bridge.ts";
import { realSuricata } from "./suricata.ts";

const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const rule = (number: number, content: string) =>
  `alert udp any any -> any 5000 (msg:"probe ${number}"; content:"${content}"; sid:${number}; rev:1;)\n`;
const FIRST = rule(1000001, "sallyport");
const BOTH = FIRST + rule(1000002, "port");

/** Rules of each shape that public sets have: groups negated alone and in lists, buffers of each protocol, fingerprints,
 *  a set of addresses; and so many that one is less than a hundredth. */
const SHAPES = [
  'tcp !$HOME_NET any -> $HOME_NET 25 (flow:established; content:"mail from|3a|"; nocase; threshold: type threshold, track by_src, count 10, seconds 60;',
  'tcp !$SMTP_SERVERS any -> !$HOME_NET 25 (flow:established; content:"mail from|3a|"; nocase;',
  'udp ![$SMTP_SERVERS,$DNS_SERVERS] any -> $DNS_SERVERS 53 (content:"|09|localhost"; fast_pattern; nocase;',
  'http $EXTERNAL_NET any -> $HTTP_SERVERS any (flow:established,to_server; http.uri; content:"/a"; http.user_agent; content:"b"; isdataat:!1,relative;',
  'http $EXTERNAL_NET any -> $HOME_NET any (flow:established,from_server; file_data; content:"MZ"; depth:2; xbits:set,a,track ip_src,expire 10;',
  'tls $HOME_NET any -> $EXTERNAL_NET any (ja3.hash; content:"6734f37431670b3ab4292b8f60f29984";',
  'tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; dotprefix; content:".example.com"; endswith; fast_pattern;',
  'dns $HOME_NET any -> any any (dns.query; content:"example.com"; nocase; endswith; pcre:"/^[a-z]+\\.example\\.com$/i";',
  'smtp $EXTERNAL_NET any -> $SMTP_SERVERS any (file_data; content:"MZ"; depth:2;',
  'smb $HOME_NET any -> $HOME_NET any (flow:established,to_server; content:"|ff|SMB";',
  'ftp $HOME_NET any -> $EXTERNAL_NET any (content:"USER "; flowbits:set,a.user; flowbits:noalert;',
  'ssh $HOME_NET any -> $EXTERNAL_NET $SSH_PORTS (ssh.proto; content:"1.";',
  "tcp-pkt $HOME_NET any -> $EXTERNAL_NET [$HTTP_PORTS,8080] (flags:S,12; dsize:<100; byte_test:4,>,10,0;",
  "ip [192.0.2.1,192.0.2.7,198.51.100.0/24] any -> $HOME_NET any (threshold: type limit, track by_src, seconds 3600, count 1;",
  'tcp $EXTERNAL_NET any -> $SQL_SERVERS $ORACLE_PORTS (flow:established,to_server; content:"x"; byte_jump:2,0,relative;',
  'udp $EXTERNAL_NET any -> $HOME_NET $SHELLCODE_PORTS (content:"|90 90 90 90|";',
  "modbus $EXTERNAL_NET any -> $MODBUS_SERVER any (modbus: function 8, subfunction 4;",
  "dnp3 any any -> $DNP3_SERVER any (dnp3_func:write;",
  'quic $HOME_NET any -> $EXTERNAL_NET any (quic.sni; content:"example.com";',
  "krb5 any any -> $HOME_NET any (krb5_err_code:25;",
] as const;
const publicSet = (more: readonly string[]) =>
  `${FIRST}${[
    ...Array.from(
      { length: 10 * SHAPES.length },
      (_, at) => `alert ${SHAPES[at % SHAPES.length]} msg:"shape ${at}"; sid:${3_000_000 + at}; rev:1;)`,
    ),
    ...more,
  ].join("\n")}\n`;

/** What the console has. */
const sent = new Map<string, Buffer>();
let folder: string;
let spaces: Namespaces;
let eve: Running;
const told: Observation[] = [];
let detector: Detector;
/** How much later than it is, by the clock that only rises. */
let later = 0;
let parts: IdsParts;
let applier: ReturnType<typeof idsApplier>;
let running: ReturnType<Namespaces["spawn"]>;
let program: readonly string[];

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-ids-"));
  spaces = await guestOnBridge();
  const real = (await realSuricata())!;
  program = real.program;
  const fetched = artifacts({
    store: artifactStore(join(folder, "artifacts")),
    async fetch(digest, from) {
      const bytes = sent.get(digest);
      if (!bytes) throw new ArtifactError("this console has no such artifact");
      return { from, total: bytes.length, chunks: [bytes.subarray(from)] as never };
    },
    changed: () => {},
    monotonic: () => performance.now(),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    signal: new AbortController().signal,
  });
  // its files and its socket are ours; what links there are is the namespace's to say
  const inDom0: typeof realDom0 = {
    ...realDom0,
    run: (name, ...rest) => (name === "ip" ? spaces.dom0("dom0") : realDom0).run(name, ...rest),
  };
  detector = suricata(inDom0, { folder, program });
  parts = {
    detector,
    config: {
      interface: "xenbr0",
      folder,
      addresses: ["10.1.0.2"],
      threads: 2,
      classification: real.classification,
      reference: real.reference,
    },
    artifact: (digest) => fetched.get(digest, "The rule set", 1_000_000),
    hash: sha256,
    now: () => Date.now(),
    monotonic: () => performance.now() + later,
    tell: (observation) => void told.push(observation),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  };
  applier = idsApplier(parts);
});
afterAll(async () => {
  await eve?.stop();
  await spaces?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function artifact(text: string): string {
  const digest = Buffer.from(sha256(Buffer.from(text))).toString("hex");
  sent.set(digest, Buffer.from(text));
  return digest;
}
const look = async (draft: unknown) => applier.judge(IdsSection.parse(draft), await applier.inspect());
async function settle(draft: unknown) {
  const before = await look(draft);
  if (before.outcome !== "failed") return before;
  await applier.apply(IdsSection.parse(draft));
  return look(draft);
}
async function until(holds: () => Promise<boolean> | boolean, what: string) {
  for (const started = performance.now(); !(await holds()); await delay(50))
    if (performance.now() - started > 90_000) throw new Error(`never came true: ${what}`);
}
const alerts = (signature: number) =>
  eve.kept.observations.filter(
    ({ kind, body }) => kind === "ids.alert" && (body as IdsAlert).signatureId === signature,
  );
const SEND = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"a sallyport", ("10.1.0.1", 5000))`;
/** A guest that does it again and again, until the detector's answer is there. */
const sendUntil = (holds: () => boolean, what: string) =>
  until(async () => {
    if (!holds()) await spaces.run("guest", "/usr/bin/python3", "-c", SEND);
    return holds();
  }, what);

/** As the package's unit: the interface is in the configuration. */
function start(): void {
  const args = ["-c", join(folder, "suricata.yaml"), "--af-packet", "-l", join(folder, "log")];
  running = spaces.spawn("dom0", program[0]!, [...program.slice(1), ...args]);
}

describe.skipIf(absent)("the detector's applier", { timeout: 400_000 }, () => {
  it("says that a detector that does not run is blind, and makes ready what it will start with", async () => {
    const rules = artifact(FIRST);
    expect(await settle({ rules })).toMatchObject({ outcome: "failed", reason: expect.stringContaining("blind") });
    expect(told).toHaveLength(1);
    start();
    await until(async () => (await look({ rules })).outcome === "applied", "the detector runs with the rules");
    expect(await look({ rules })).toMatchObject({
      found: { running: { loaded: 1, failed: 0, drops: expect.any(Number) }, rules: { sha256: rules, count: 1 } },
    });
  });

  it("makes a record of what the guest did", async () => {
    eve = run(eveFile({ path: join(folder, "log/eve.json"), dom0: realDom0 }), keeper());
    await sendUntil(() => alerts(1000001).length > 0, "the alert is a record");
    expect(alerts(1000001)[0]).toMatchObject({
      kind: "ids.alert",
      body: { signature: "probe 1000001", source: "10.1.0.2", destination: "10.1.0.1", destinationPort: 5000 },
    });
  });

  it("takes new rules without a restart, and leaves them be when the next are broken", async () => {
    const rules = artifact(BOTH);
    expect(await settle({ rules })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2, failed: 0 } } });
    await sendUntil(() => alerts(1000002).length > 0, "the new rule alerts");
    await expect(
      settle({ rules: artifact(`${BOTH}alert udp any any -> any any (nonsense:1; sid:3;)\n`) }),
    ).rejects.toThrow(/those before stay in force: 2 of 3 rules are loaded, and .*; signature 3 in line 3: .*nonsense/);
    expect(await look({ rules })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2 } } });
    await expect(settle({ rules: "0".repeat(64) })).rejects.toThrow(
      "could not be fetched, and what was in force before stays: this console has no such artifact",
    );
    expect(await look({ rules })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2 } } });
  });

  it("takes a set as public ones are written, and goes on without the few rules that it does not understand", async () => {
    const rules = artifact(publicSet(["alert udp any any -> any any (nonsense:1; sid:4000000;)"]));
    await expect(settle({ rules, strict: true })).rejects.toThrow(/the policy wants all; signature 4000000 in line/);
    const done = await settle({ rules });
    expect(done).toMatchObject({
      outcome: "applied",
      reason: expect.stringMatching(/^1 of \d+ rules .* not in force: signature 4000000 in line \d+: .*nonsense/),
      found: { running: { failed: 1 }, rules: { sha256: rules } },
    });
    await sendUntil(() => alerts(1000001).length > 0, "its other rules alert");
    expect(await settle({ rules: artifact(publicSet([])), strict: true })).toMatchObject({
      outcome: "applied",
      found: { running: { failed: 0 } },
    });
  });

  it("suppresses what the policy says and nothing else", async () => {
    const rules = artifact(BOTH);
    const foreign = [999, 2 ** 32 - 1, 2 ** 32].map((signatureId) => ({ signatureId, reason: "not in the set" }));
    const suppress = [...foreign, { signatureId: 1000001, address: "10.1.0.0/24", reason: "known" }];
    expect((await settle({ rules, suppress })).outcome).toBe("applied");
    const before = { one: alerts(1000001).length, two: alerts(1000002).length };
    await sendUntil(() => alerts(1000002).length >= before.two + 5, "the other rule goes on");
    // what was on its way when the rules changed may still have come
    expect(alerts(1000001).length - before.one).toBeLessThan(5);
    const late = alerts(1000001).length;
    await sendUntil(() => alerts(1000002).length >= before.two + 10, "the other rule goes on");
    expect(alerts(1000001).length).toBe(late);
  });

  it("is blind when its file of events is taken away, and writes into another once it was told to", async () => {
    const rules = artifact(BOTH);
    expect((await settle({ rules })).outcome).toBe("applied");
    rmSync(join(folder, "log/eve.json"));
    const before = alerts(1000002).length;
    expect((await look({ rules })).outcome).toBe("applied");
    later += 200_000;
    expect(await look({ rules })).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("nothing of what it sees is written to log/eve.json"),
    });
    await applier.apply(IdsSection.parse({ rules }));
    await sendUntil(() => alerts(1000002).length > before, "its alerts are records again");
    expect((await look({ rules })).outcome).toBe("applied");
  });

  it("is blind while its bridge is down or gone, though it answers all the same; nothing is reloaded then", async () => {
    const rules = artifact(BOTH);
    expect((await settle({ rules })).outcome).toBe("applied");
    told.length = 0;
    const blind = (why: string) => ({
      outcome: "failed",
      reason: `The intrusion detector is blind: ${why}, so it sees no packet.`,
    });
    await spaces.ip("dom0", "link set xenbr0 down");
    expect(await look({ rules })).toMatchObject(blind("xenbr0 is down"));
    const next = artifact(FIRST);
    await expect(settle({ rules: next })).rejects.toThrow(
      "loaded once the detector sees packets again: xenbr0 is down",
    );
    await spaces.ip("dom0", "link del xenbr0");
    expect(await look({ rules })).toMatchObject(blind("there is no interface xenbr0"));
    expect(told.map(({ kind }) => kind)).toEqual(["ids.alert", "ids.alert"]);
    await spaces.ip(
      "dom0",
      "link add xenbr0 type bridge",
      "addr add 10.1.0.1/24 dev xenbr0",
      "link set xenbr0 up",
      "link set vif1.0 master xenbr0",
    );
    const before = alerts(1000002).length;
    await until(async () => (await look({ rules })).outcome === "applied", "it is applied again");
    await sendUntil(() => alerts(1000002).length > before, "it alerts on the new bridge");
  });

  it("tells of a detector that was killed and has begun anew between two looks", async () => {
    const fresh = idsApplier(parts);
    await fresh.inspect();
    told.length = 0;
    await fresh.inspect();
    expect(told).toEqual([]);
    const gone = once(running, "exit");
    running.kill("SIGKILL");
    await gone;
    start();
    const answers = () => detector.ask("uptime").then(Number, () => undefined);
    await until(async () => (await answers()) !== undefined, "it answers again");
    await fresh.inspect();
    expect(told.map(({ text }) => text)).toEqual([expect.stringContaining("ended and was started again, and not by")]);
  });
});
