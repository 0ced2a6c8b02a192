/** How fast EVE lines become records on disk, and what an idle agent costs. Prints one JSON object.
 *  `node apps/agent/bench/spool.ts [--records N] [--idle SECONDS] [--program CLI.js] [--flags "--FLAG …"]` */
import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { makeAgentProgram } from "../../../packages/up/src/agent-program.ts";
import { LEAN, LEAN_ENV } from "../bin/lean.mjs";
import { ed25519Signer } from "../src/dom0/crypto.ts";
import { realDom0 } from "../src/dom0/real.ts";
import { makeTrailKey } from "../src/enrol/request.ts";
import { eveFile } from "../src/sources/eve/source.ts";
import { Intake } from "../src/spool/intake.ts";
import { openSpool } from "../src/spool/open.ts";

/** By then what the start left behind is collected: a minute's worth of idling is not charged with it. */
const SETTLE_SECONDS = 40;

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "200000" },
    idle: { type: "string", default: "30" },
    /** Without it the bundle that `npm run up` and the package run. */
    program: { type: "string" },
    flags: { type: "string", default: LEAN.join(" ") },
    part: { type: "string" },
  },
});
const flags = ["--disable-warning=ExperimentalWarning", ...values.flags.split(" ").filter(Boolean)];
const env = { ...process.env, ...LEAN_ENV };
const records = Number(values.records);
const folder = mkdtempSync(join(process.env.SALLYPORT_BENCH_FOLDER ?? tmpdir(), "sallyport-bench-"));

/** A DNS answer of Suricata 7, about 600 bytes. */
const line = (number: number): string =>
  `${JSON.stringify({
    timestamp: "2026-11-24T08:46:00.123456+0000",
    flow_id: 1_000_000_000_000 + number,
    in_iface: "vif1.0",
    event_type: "dns",
    src_ip: "10.137.0.7",
    src_port: 53124,
    dest_ip: "10.139.1.1",
    dest_port: 53,
    proto: "UDP",
    pkt_src: "wire/pcap",
    dns: {
      version: 2,
      type: "answer",
      id: number % 65536,
      flags: "8180",
      qr: true,
      rd: true,
      ra: true,
      rrname: `host-${number}.example.org`,
      rrtype: "A",
      rcode: "NOERROR",
      answers: [{ rrname: `host-${number}.example.org`, rrtype: "A", ttl: 300, rdata: "192.0.2.7" }],
      grouped: { A: ["192.0.2.7"] },
    },
  })}\n`;

async function measureSpool(): Promise<object> {
  const eve = join(folder, "eve.json");
  let fileBytes = 0;
  const file = openSync(eve, "w");
  for (let from = 0; from < records; from += 1000) {
    let text = "";
    for (let number = from; number < Math.min(records, from + 1000); number++) text += line(number);
    fileBytes += writeSync(file, text);
  }
  closeSync(file);
  const signer = ed25519Signer(
    generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string,
  );
  const identity = {
    workstation: randomUUID() as WorkstationId,
    signer,
    session: randomUUID() as SessionId,
    agentVersion: "bench",
    hostname: "bench",
  };
  const settings = { log: Policy.parse({}).log, agent: Policy.parse({}).agent };
  const spool = openSpool(folder, identity, Date.now, settings.agent.spoolBytesMax, () => {});
  const intake = new Intake({
    spool,
    log: () => settings.log,
    now: Date.now,
    monotonic: () => performance.now(),
    onTrouble: (error) => console.error(error),
  });
  const stop = new AbortController();
  const done = new Promise<void>((resolve) =>
    spool.onGrown(() => {
      if (spool.size > records) resolve();
    }),
  );
  const cpu = process.cpuUsage();
  const began = performance.now();
  const running = eveFile({ path: eve, dom0: realDom0 }).run(
    { emit: intake.emit, position: (name) => spool.position(name), settings: () => settings, state: () => {} },
    stop.signal,
  );
  await done;
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  stop.abort();
  await running;
  intake.close();
  spool.close();
  return {
    records,
    lineBytes: Math.round(fileBytes / records),
    seconds: Number(seconds.toFixed(2)),
    recordsPerSecond: Math.round(records / seconds),
    cpuSeconds: Number(((user + system) / 1e6).toFixed(2)),
    kernelSeconds: Number((system / 1e6).toFixed(2)),
  };
}

/** An enrolled agent whose console is away: sources, spool and timers run, the link tries again. */
async function measureIdle(seconds: number): Promise<object> {
  const state = join(folder, "idle");
  mkdirSync(join(state, "enrolment"), { recursive: true });
  const { key, certificate } = await selfSigned();
  const at = (name: string) => join(state, "enrolment", name);
  writeFileSync(at("trail.key"), makeTrailKey());
  writeFileSync(at("tls.pem"), `${key}${certificate}\n`);
  writeFileSync(at("ca.crt"), certificate);
  const signature = { key: "00000000", signature: "AA==" };
  writeFileSync(
    at("enrolment.json"),
    JSON.stringify({
      workstation: randomUUID(),
      group: randomUUID(),
      name: "bench",
      listener: "https://127.0.0.1:9",
      mqtt: "mqtts://127.0.0.1:9",
      consoleKeys: [Buffer.alloc(32).toString("base64")],
      membership: { text: "{}", signatures: [signature], carried: "{}" },
      enrolled: new Date().toISOString(),
    }),
  );
  const eve = join(state, "eve.json");
  writeFileSync(eve, "");
  writeFileSync(
    join(state, "config.json"),
    JSON.stringify({
      eve: [eve],
      udp: [{ host: "127.0.0.1", port: 0 }],
      tcp: [{ host: "127.0.0.1", port: 0 }],
      logLevel: "error",
    }),
  );
  const program = values.program ?? (await makeAgentProgram(state));
  const start = () =>
    spawn(process.execPath, [...flags, program, "run", "--state", state], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    });
  // the first start makes the spool; a workstation starts with one
  const first = start();
  await wait(8);
  first.kill("SIGTERM");
  await new Promise((resolve) => first.once("exit", resolve));
  const child = start();
  await wait(SETTLE_SECONDS);
  const before = ticksOf(child.pid!);
  await wait(seconds);
  const ticks = ticksOf(child.pid!) - before;
  const resident = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024;
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  return {
    seconds,
    residentMiB: Number((resident / 1024 / 1024).toFixed(1)),
    cpuPercent: Number((ticks / seconds).toFixed(2)),
  };
}

const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Hundredths of a second of processor time, user and system. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function selfSigned(): Promise<{ key: string; certificate: string }> {
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=bench",
    notBefore: new Date(Date.now() - 1000),
    notAfter: new Date(Date.now() + 86_400_000),
    keys,
    signingAlgorithm: algorithm,
  });
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const key = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
  return { key, certificate: made.toString("pem") };
}

/** In a process of its own, started as the agent is: its flags cost processor time, and the figure is with them. */
function spoolWithFlags(): object {
  const here = fileURLToPath(import.meta.url);
  const run = spawnSync(process.execPath, [...flags, here, "--part", "spool", "--records", values.records], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    env,
  });
  if (run.status !== 0) throw new Error(`the part that spools ended with ${run.status ?? run.signal}`);
  return JSON.parse(run.stdout) as object;
}

try {
  if (values.part === "spool") process.stdout.write(JSON.stringify(await measureSpool()));
  else await measureBoth();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureBoth(): Promise<void> {
  const spool = spoolWithFlags();
  const idle = Number(values.idle) > 0 ? await measureIdle(Number(values.idle)) : undefined;
  process.stdout.write(`${JSON.stringify({ bench: "agent", spool, ...(idle ? { idle } : {}) })}\n`);
}
