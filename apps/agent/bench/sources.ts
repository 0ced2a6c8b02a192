/** Lines per second of processor time for each decoder: `node apps/agent/bench/sources.ts [seconds]`. Processor time,
 *  not the clock's, so that a busy machine gives the same figures. */
import { contentBytes } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { decodeEve } from "../src/sources/eve/decode.ts";
import { guestMap } from "../src/sources/guest.ts";
import { splitter } from "../src/sources/lines.ts";
import { readDatagram } from "../src/sources/syslog/datagram.ts";
import { frames } from "../src/sources/syslog/frames.ts";
import { lineReader, type Origin } from "../src/sources/syslog/record.ts";
import { decodeUlogd } from "../src/sources/ulogd/decode.ts";

const seconds = Number(process.argv[2] ?? 1);
const origin: Origin = { via: "udp", from: "10.0.0.5", guest: guestMap([]).byAddress("10.0.0.5") };
const bsd =
  "<30>Nov 24 09:00:00 work sshd[812]: Accepted publickey for root from 10.0.0.9 port 50122 ssh2: ED25519 SHA256:abcdefghijklmnop";
const ietf =
  '<30>1 2026-11-24T09:00:00.123456+00:00 work sshd 812 ID1 [timeQuality tzKnown="1" isSynced="1"] Accepted publickey for root from 10.0.0.9 port 50122';
const snare = `<14>Nov 24 09:00:00 PC-7 ${["MSWinEventLog", "1", "Security", "3027", "Tue Nov 24 09:00:00 2026", "4624", "Microsoft-Windows-Security-Auditing", "u", "User", "Success Audit", "PC-7", "Logon", "", "An account was successfully logged on. ".repeat(8), "3026"].join("\t")}`;

const event = (flow: string, more: object = {}) =>
  JSON.stringify({
    timestamp: "2026-11-24T09:10:11.123456+0000",
    flow_id: "FLOW",
    in_iface: "vif1.0",
    event_type: "flow",
    src_ip: "10.0.0.5",
    src_port: 51234,
    dest_ip: "93.184.216.34",
    dest_port: 443,
    proto: "TCP",
    app_proto: "tls",
    flow: {
      pkts_toserver: 12,
      pkts_toclient: 11,
      bytes_toserver: 1900,
      bytes_toclient: 8123,
      start: "2026-11-24T09:10:00.000000+0000",
      end: "2026-11-24T09:10:11.000000+0000",
      age: 11,
      state: "closed",
      reason: "timeout",
      alerted: false,
    },
    tcp: {
      tcp_flags: "1b",
      tcp_flags_ts: "1b",
      tcp_flags_tc: "1b",
      syn: true,
      fin: true,
      psh: true,
      ack: true,
      state: "closed",
    },
    ...more,
  }).replace('"FLOW"', flow);
const drop =
  '{"timestamp": "2026-11-24T09:39:25.960804", "dvc": "Netfilter", "raw.pktlen": 60, "oob.prefix": "sallyport drop ", "oob.time.sec": 1795513165, "oob.hook": 3, "oob.family": 2, "ip.protocol": 6, "ip.ttl": 64, "ip.totlen": 60, "src_port": 33962, "dest_port": 9999, "tcp.seq": 346192067, "tcp.syn": 1, "oob.in": "vif1.0", "oob.out": "eth0", "src_ip": "10.0.0.5", "dest_ip": "1.2.3.4"}';

const plain = lineReader({ ...origin, via: "console" }, "plain");
const bytes = (text: string) => Buffer.from(text);
const datagram = (text: string) => {
  const one = { bytes: bytes(text), origin };
  return () => readDatagram(one, "any", 8_192, 0);
};
const eve = (text: string) => {
  const line = { bytes: bytes(text), from: "/var/log/suricata/eve.json" };
  return () => decodeEve(line, 0);
};
const console_ = { bytes: bytes("[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd\r") };
const ulogd = { bytes: bytes(drop), from: "/var/log/ulogd.json" };

const decoders: Record<string, () => Observation[]> = {
  "syslog RFC 3164": datagram(bsd),
  "syslog RFC 5424": datagram(ietf),
  "Snare over syslog": datagram(snare),
  "console line": () => [plain(console_, 0)],
  "EVE flow": eve(event("1676750115612680")),
  "EVE flow, id beyond 2^53": eve(event("18446744073709551615")),
  "EVE http, 132 kB": eve(event("1676750115612680", { event_type: "http", http: { url: "x".repeat(131_000) } })),
  "ulogd2 drop": () => decodeUlogd(ulogd, 0),
};

const chunk = bytes(`${bsd}\n`.repeat(500)).subarray(0, 65_536);
const perChunk = chunk.filter((byte) => byte === 10).length;
const lines = splitter({ lineBytesMax: () => 8_192 });
const tcp = frames(() => 8_192);

const busySeconds = () => process.cpuUsage().user / 1e6;

function rate(work: () => unknown, units = 1): number {
  const started = busySeconds();
  let count = 0;
  while (busySeconds() - started < seconds) {
    for (let each = 0; each < 20; each++) work();
    count += 20 * units;
  }
  return count / (busySeconds() - started);
}

const show = (name: string, ...rates: number[]) =>
  console.log(`${name.padEnd(28)}${rates.map((each) => Math.round(each).toLocaleString("en").padStart(14)).join("")}`);

console.log(`${"".padEnd(28)}${"lines/s".padStart(14)}${"with content".padStart(14)}`);
for (const [name, decode] of Object.entries(decoders)) {
  rate(decode); // warm
  show(
    name,
    rate(decode),
    rate(() => decode().map(contentBytes)),
  );
}
show(
  "split into lines",
  rate(() => [...lines.push(chunk)], perChunk),
);
show(
  "TCP frames",
  rate(() => [...tcp.push(chunk)], perChunk),
);
