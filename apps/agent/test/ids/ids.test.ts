/** The detector's applier with the real Suricata on a guest's bridge, and its alerts as records. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { IdsSection } from "@sallyport/shared/policy/ids.ts";
import type { IdsAlert } from "@sallyport/shared/record/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idsApplier } from "../../src/appliers/ids.ts";
import { ArtifactError, artifacts } from "../../src/artifact/artifacts.ts";
import { artifactStore } from "../../src/dom0/artifact-store.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { suricata } from "../../src/dom0/detector.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { eveFile } from "../../src/sources/eve/source.ts";
import { makeNamespaces, type Namespaces, unable } from "../network/namespaces.ts";
import { keeper, type Running, run } from "../sources/outlet.ts";
import { realSuricata } from "./suricata.ts";

const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const rule = (number: number, content: string) =>
  `alert udp any any -> any 5000 (msg:"probe ${number}"; content:"${content}"; sid:${number}; rev:1;)\n`;
const FIRST = rule(1000001, "sallyport");
const BOTH = FIRST + rule(1000002, "port");

/** What the console has. */
const sent = new Map<string, Buffer>();
let folder: string;
let spaces: Namespaces;
let eve: Running;
const told: Observation[] = [];
let applier: ReturnType<typeof idsApplier>;
let program: readonly string[];

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-ids-"));
  spaces = await makeNamespaces(["dom0", "guest"]);
  await spaces.ip(
    "dom0",
    "link add xenbr0 type bridge",
    "link set xenbr0 up",
    "addr add 10.1.0.1/24 dev xenbr0",
    `link add vif1.0 type veth peer name eth0 netns ${spaces.of("guest")}`,
    "link set vif1.0 master xenbr0",
    "link set vif1.0 up",
  );
  await spaces.ip("guest", "addr add 10.1.0.2/24 dev eth0", "link set eth0 up");
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
  applier = idsApplier({
    detector: suricata(realDom0, { folder, program }),
    config: { interface: "xenbr0", folder, classification: real.classification, reference: real.reference },
    artifact: (digest) => fetched.get(digest, "The rule set", 1_000_000),
    hash: sha256,
    now: () => Date.now(),
    tell: (observation) => void told.push(observation),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
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

describe.skipIf(absent)("the detector's applier", { timeout: 400_000 }, () => {
  it("says that a detector that does not run is blind, and makes ready what it will start with", async () => {
    const rules = artifact(FIRST);
    expect(await settle({ rules })).toMatchObject({ outcome: "failed", reason: expect.stringContaining("blind") });
    expect(told).toHaveLength(1);
    spaces.spawn("dom0", program[0]!, [
      ...program.slice(1),
      "-c",
      join(folder, "suricata.yaml"),
      "--af-packet", // as the package's unit: the interface is in the configuration
      "-l",
      join(folder, "log"),
    ]);
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
    ).rejects.toThrow(/those before stay in force: E: /);
    expect(await look({ rules })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2 } } });
    await expect(settle({ rules: "0".repeat(64) })).rejects.toThrow(
      "could not be fetched, and what was in force before stays: this console has no such artifact",
    );
    expect(await look({ rules })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2 } } });
  });

  it("suppresses what the policy says and nothing else", async () => {
    const rules = artifact(BOTH);
    const suppress = [{ signatureId: 1000001, address: "10.1.0.0/24", reason: "known" }];
    expect((await settle({ rules, suppress })).outcome).toBe("applied");
    const before = { one: alerts(1000001).length, two: alerts(1000002).length };
    await sendUntil(() => alerts(1000002).length >= before.two + 5, "the other rule goes on");
    // what was on its way when the rules changed may still have come
    expect(alerts(1000001).length - before.one).toBeLessThan(5);
    const late = alerts(1000001).length;
    await sendUntil(() => alerts(1000002).length >= before.two + 10, "the other rule goes on");
    expect(alerts(1000001).length).toBe(late);
  });
});
