import { CONTENT_BYTES_MAX, contentBytes } from "@sallyport/shared/record/content.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeEve } from "./decode.ts";
import { parseObject } from "./json.ts";

const read = (line: string | Buffer) => decodeEve({ bytes: Buffer.from(line), from: "/var/log/suricata/eve.json" }, 0);

const ALERT =
  '{"timestamp":"2026-11-24T09:10:11.123456+0000","flow_id":18446744073709551615,"in_iface":"vif1.0","event_type":"alert","src_ip":"10.0.0.5","src_port":1234,"dest_ip":"1.2.3.4","dest_port":443,"proto":"TCP","pkt_src":"wire/pcap","alert":{"action":"allowed","gid":1,"signature_id":2024792,"rev":4,"signature":"ET MALWARE Known C2","category":"A Network Trojan was detected","severity":1},"app_proto":"tls","direction":"to_server","flow":{"pkts_toserver":3,"pkts_toclient":1,"bytes_toserver":400,"bytes_toclient":60,"start":"2026-11-24T09:10:10.000000+0000"}}';

describe("an EVE line", () => {
  it("of an alert names the rule and both ends, and keeps every digit", () => {
    expect(read(ALERT)).toEqual([
      {
        kind: "ids.alert",
        severity: "critical",
        time: 0,
        text: "ET MALWARE Known C2 10.0.0.5:1234 → 1.2.3.4:443 tcp",
        body: {
          source: "10.0.0.5",
          sourcePort: 1234,
          destination: "1.2.3.4",
          destinationPort: 443,
          protocol: "TCP",
          flow: "18446744073709551615",
          eventTime: "2026-11-24T09:10:11.123456+0000",
          signature: "ET MALWARE Known C2",
          signatureId: 2024792,
          generator: 1,
          revision: 4,
          category: "A Network Trojan was detected",
          action: "allowed",
          event: { ...JSON.parse(ALERT), flow_id: "18446744073709551615" },
        },
      },
    ]);
  });

  const rest =
    '"timestamp":"2026-11-24T09:10:11.123456+0000","src_ip":"fe80::1","src_port":53124,"dest_ip":"10.0.0.1","dest_port":53,"proto":"UDP"';
  const ends = "[fe80::1]:53124 → 10.0.0.1:53 udp";
  it.each([
    [
      `{"event_type":"dns",${rest},"dns":{"type":"query","id":1,"rrname":"example.com","rrtype":"A","tx_id":0}}`,
      `dns query A example.com ${ends}`,
    ],
    [
      `{"event_type":"dns",${rest},"dns":{"version":3,"type":"response","rcode":"NXDOMAIN","queries":[{"rrname":"a.b","rrtype":"AAAA"}]}}`,
      `dns response AAAA a.b NXDOMAIN ${ends}`,
    ],
    [
      `{"event_type":"http",${rest},"http":{"hostname":"h\\u0000\\u001b[2J","url":"/x","http_method":"GET","status":200}}`,
      `http GET h\\x00\\x1b[2J/x 200 ${ends}`,
    ],
    [`{"event_type":"tls",${rest},"tls":{"sni":"example.com","version":"TLS 1.3"}}`, `tls example.com TLS 1.3 ${ends}`],
    [
      `{"event_type":"flow",${rest},"flow":{"bytes_toserver":100,"bytes_toclient":20,"state":"closed","reason":"timeout"}}`,
      `flow closed 120 bytes timeout ${ends}`,
    ],
    [
      `{"event_type":"fileinfo",${rest},"fileinfo":{"filename":"/a.exe","size":10,"md5":"d41d"}}`,
      `file /a.exe 10 bytes d41d ${ends}`,
    ],
    [
      `{"event_type":"anomaly",${rest},"anomaly":{"type":"decode","event":"decoder.ipv4.trunc_pkt"}}`,
      `anomaly decode decoder.ipv4.trunc_pkt ${ends}`,
    ],
    [
      `{"event_type":"stats","timestamp":"t","stats":{"uptime":8,"capture":{"kernel_drops":2}}}`,
      "stats 8 s up 2 packets dropped",
    ],
    [`{"event_type":"constructor",${rest}}`, `constructor ${ends}`],
    [`{"event_type":"alert",${rest},"alert":{"signature":7}}`, `7 ${ends}`],
  ])("says what happened: %s", (line, text) => {
    expect(read(line)).toMatchObject([{ kind: "ids.event", text }]);
  });

  it("that was torn by a kill is kept, and the event behind it is read", () => {
    const torn = ALERT.slice(0, 100);
    const [first, second] = read(torn + ALERT);
    expect(first).toMatchObject({
      kind: "agent.malformed",
      body: { rawBase64: Buffer.from(torn).toString("base64"), truncated: false },
    });
    expect(second).toMatchObject({ kind: "ids.alert" });
  });

  it("that is not UTF-8, or holds half a surrogate pair, is readable and keeps its bytes", () => {
    const bad = Buffer.concat([Buffer.from('{"event_type":"http","x":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(read(bad)).toMatchObject([
      { kind: "ids.event", body: { event: { x: "\ufffd", _rawBase64: bad.toString("base64") } } },
    ]);
    const half = '{"event_type":"http","\\udc00k":["\\ud800x"]}';
    expect(read(half)).toMatchObject([
      { body: { event: { "\\udc00k": ["\\ud800x"], _rawBase64: Buffer.from(half).toString("base64") } } },
    ]);
  });

  it.each([
    "{}",
    "[]",
    "7",
    " ",
    '{"event_type":7}',
    '{"event_type":"alert"',
    `{"event_type":"x","a":${"[".repeat(500)}${"]".repeat(500)}}`,
  ])("that is no event is kept as it came: %s", (line) => {
    expect(read(line)).toMatchObject([
      {
        kind: "agent.malformed",
        body: { source: "eve", bytes: line.length, rawBase64: Buffer.from(line).toString("base64") },
      },
    ]);
  });

  it("of 132 kB is one record", () => {
    const line = JSON.stringify({ timestamp: "t", event_type: "http", http: { url: "x".repeat(132_000) } });
    expect(read(line)).toMatchObject([{ kind: "ids.event" }]);
  });

  it("of any bytes becomes records that fit and follow the schema", () => {
    const around = fc
      .tuple(fc.nat(ALERT.length), fc.uint8Array({ maxLength: 60 }), fc.nat(40))
      .map(([at, bytes, skip]) =>
        Buffer.concat([Buffer.from(ALERT.slice(0, at)), bytes, Buffer.from(ALERT.slice(at + skip))]),
      );
    const number = fc.constantFrom(
      "1e20",
      "-0",
      "1e400",
      "123456789012345678901234567890",
      "0.1234567890123456789",
      "1E-7",
    );
    const large = fc
      .tuple(number, fc.integer({ min: 1, max: 12_000 }))
      .map(([text, n]) => Buffer.from(`{"event_type":"x","n":[${Array(n).fill(text).join(",")}]}`));
    const any = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 400 }).map((a) => Buffer.from(a)),
      around,
      large,
      fc
        .json()
        .map((text) =>
          Buffer.from(`{"event_type":"alert","alert":${text},"proto":${text},"src_port":${text},"flow_id":${text}}`),
        ),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        const records = read(bytes);
        expect(records.length).toBeGreaterThan(0);
        for (const record of records) {
          bodySchema(record.kind)?.parse(record.body);
          expect(contentBytes(record).length).toBeLessThanOrEqual(CONTENT_BYTES_MAX);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("numbers", () => {
  it("that a double holds stay numbers, all others keep their digits", () => {
    const parse = (text: string) => parseObject(`{"n":${text}}`);
    const stays = [
      "0",
      "7",
      "1.50",
      "9007199254740991",
      "0.1",
      "1e3",
      "123456789012345",
      "1.5e300",
      "-12.25",
      "100000000000000000000e-18",
    ];
    for (const text of stays)
      expect(parse(text), text).toEqual({ ok: true, value: { object: { n: Number(text) }, exact: true } });
    const kept = [
      "9007199254740992",
      "9007199254740993",
      "18446744073709551615",
      "1e999",
      "-1e999",
      "1e-999",
      "0.12345678901234567890",
    ];
    for (const text of kept)
      expect(parse(text), text).toEqual({ ok: true, value: { object: { n: text }, exact: true } });
  });

  it("of any integer come back digit by digit, wherever in the line they stand", () => {
    const integer = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n });
    fc.assert(
      fc.property(integer, fc.nat(40), fc.nat(20), (value, before, after) => {
        const parsed = parseObject(`{"p":"${"x".repeat(before)}","n":${value},"q":"${"x".repeat(after)}"}`);
        expect(parsed.ok && String(parsed.value.object.n)).toBe(String(value));
      }),
      { numRuns: 500 },
    );
  });
});
