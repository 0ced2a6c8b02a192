/** Lines a second from Suricata's file to the synced spool: `node apps/agent/bench/eve-to-spool.ts [lines]`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDom0 } from "../src/dom0/real.ts";
import { eveFile } from "../src/sources/eve/source.ts";
import { openHere } from "../test/sources/spool.ts";

const lines = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "bench-eve-"));
const path = join(folder, "eve.json");
const line = (n: number) =>
  `{"timestamp":"2026-11-24T09:10:11.123456+0000","flow_id":${1676750115612680 + n},"in_iface":"vif1.0","event_type":"flow","src_ip":"10.0.0.5","src_port":51234,"dest_ip":"93.184.216.34","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":12,"pkts_toclient":11,"bytes_toserver":1900,"bytes_toclient":8123,"start":"2026-11-24T09:10:00.000000+0000","end":"2026-11-24T09:10:11.000000+0000","age":11,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}\n`;
/** The limit of one guest is not what is measured. */
const NO_BOUND = { linesPerSecond: 100_000, burstLines: 1_000_000 };
const text = Array.from({ length: lines }, (_, n) => line(n)).join("");
writeFileSync(path, text);

const { spool, intake, outlet } = openHere(join(folder, "state"), undefined, NO_BOUND);
const controller = new AbortController();
const busy = process.cpuUsage();
const started = performance.now();
const running = eveFile({ path, dom0: realDom0 }).run(outlet, controller.signal);
while (spool.size < lines + 1) await new Promise((resolve) => setTimeout(resolve, 2));
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(busy);
controller.abort();
await running;
intake.close();
rmSync(folder, { recursive: true });

const rate = (over: number) => Math.round(lines / over).toLocaleString("en");
console.log(
  `${lines.toLocaleString("en")} lines of ${Math.round(text.length / lines)} bytes, file to synced spool: ${rate(seconds)} lines/s`,
);
console.log(
  `per second of processor time: ${rate((user + system) / 1e6)} lines; resident ${Math.round(process.memoryUsage.rss() / 1048576)} MiB`,
);
