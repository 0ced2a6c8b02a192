import { readFileSync } from "node:fs";
import { CONTENT_BYTES_MAX, contentBytes } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REPLAYED, type Replayed, replay } from "./replay.ts";

async function read(source: Replayed, chunks: Uint8Array[], file = "/var/log/x"): Promise<Observation[]> {
  const found: Observation[] = [];
  const input = (async function* () {
    yield* chunks;
  })();
  for await (const each of replay(source, file, input, () => 0)) found.push(each);
  return found;
}
const golden = (name: string) => readFileSync(new URL(`golden/${name}`, import.meta.url));

describe("what real daemons wrote", () => {
  it("of rsyslog 8.2302 and logger 2.38, over UDP and a local socket", async () => {
    const records = await read("syslog", [golden("syslog.txt")]);
    expect(records.map(({ text }) => text)).toEqual([
      "app: rfc5424 udp",
      "app[21184]: rfc3164 udp",
      "root: sd",
      "sshd[21285]: Accepted publickey for root",
      "sshd[21285]: Accepted publickey for root",
      "sshd[21285]: Accepted publickey for root",
      "app[21187]: unix socket msg",
      "root: no tag",
    ]);
    expect(records.map(({ body }) => (body as { claimedHost?: string }).claimedHost)).toEqual([
      "vm",
      "vm",
      "vm",
      "vm",
      "vm",
      "vm",
      undefined,
      undefined,
    ]);
    expect(records[2]?.body).toMatchObject({
      structured: { timeQuality: { tzKnown: "1", isSynced: "0" }, "a@1": { x: "y" } },
    });
  });

  it("of ulogd2 2.0.8 with NFLOG: TCP, UDP, ICMP and ICMPv6", async () => {
    const records = await read("ulogd", [golden("ulogd2.json")]);
    expect(records.map(({ text }) => text)).toEqual([
      "dropped 127.0.0.1:33962 → 127.0.0.1:9999 tcp out lo by sallyport drop",
      "dropped 127.0.0.1:48803 → 127.0.0.1:53 udp out lo by sallyport drop",
      "dropped 127.0.0.1 → 127.0.0.1 icmp out lo by ping",
      "dropped ::1 → ::1 icmpv6 out lo by ping6",
      "dropped 127.0.0.1:54205 → 127.0.0.1:53 udp out lo by sallyport drop",
    ]);
    expect(records[0]).toMatchObject({
      kind: "net.drop",
      body: { out: "lo", rule: "sallyport drop", bytes: 60, destinationPort: 9999 },
    });
  });

  it("of a console: escapes are kept raw and shown harmless, the guest is named by the file", async () => {
    const line = "[    0.000000] Linux\x1b[0;32m  OK \x1b[0m started\r";
    const [record, again] = await read("console", [Buffer.from(`${line}\n\n`)], "/var/log/xen/console/guest-work.log");
    expect(record).toMatchObject({
      kind: "guest.log",
      text: "[    0.000000] Linux\\x1b[0;32m  OK \\x1b[0m started",
      body: { via: "console", format: "plain", raw: line },
    });
    expect(again).toMatchObject({ text: "(empty line)", guest: record?.guest });
    const [rotated] = await read("console", [Buffer.from("x\n")], "/elsewhere/guest-work.log");
    expect(rotated?.guest).toBe(record?.guest);
  });
});

it.each(REPLAYED)(
  "a %s source makes records of any bytes that fit, follow the schema and leave nothing out",
  async (source) => {
    const begin = fc.constantFrom(
      "",
      "{",
      '{"event_type":"x",',
      '{"src_ip":',
      "<13>1 - - - - - ",
      "12 <13>",
      "<13>MSWinEventLog\t1\t",
    );
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.constant(Buffer.from("\n")),
      begin.map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (chunks) => {
        const records = await read(source, chunks);
        for (const record of records) {
          bodySchema(record.kind)?.parse(record.body);
          expect(contentBytes(record).length).toBeLessThanOrEqual(CONTENT_BYTES_MAX);
        }
        const lines = Buffer.concat(chunks)
          .toString("latin1")
          .split("\n")
          .filter((line) => line !== "");
        if (source !== "syslog" && source !== "snare") expect(records.length).toBeGreaterThanOrEqual(lines.length);
        else expect(records.length > 0).toBe(Buffer.concat(chunks).length > 0);
      }),
      { numRuns: 150 },
    );
  },
);
