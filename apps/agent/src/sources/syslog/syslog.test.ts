import { CONTENT_BYTES_MAX, contentBytes, TEXT_CHARS_MAX } from "@sallyport/shared/record/content.ts";
import { GuestLog } from "@sallyport/shared/record/guest.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { guestMap } from "../guest.ts";
import { readDatagram } from "./datagram.ts";
import { parseLine } from "./line.ts";
import type { Origin } from "./record.ts";

const guests = guestMap([]);
const origin: Origin = { via: "udp", from: "10.0.0.5", guest: guests.byAddress("10.0.0.5") };
const read = (line: string | Buffer, lineBytesMax = 8192) =>
  readDatagram({ bytes: Buffer.from(line), origin }, "any", lineBytesMax, 1_763_974_800_000);

const bodyOf = (line: Buffer) => GuestLog.parse(read(line)[0]?.body);

describe("RFC 5424", () => {
  it("reads the RFC's own examples", () => {
    expect(
      parseLine(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
        "any",
      ),
    ).toEqual({
      format: "rfc5424",
      facility: 4,
      level: 2,
      claimedTime: "2003-10-11T22:14:15.003Z",
      claimedHost: "mymachine.example.com",
      app: "su",
      messageId: "ID47",
      message: "'su root' failed for lonvick on /dev/pts/8",
    });
    expect(
      parseLine(
        '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]',
        "any",
      ),
    ).toMatchObject({
      structured: {
        "exampleSDID@32473": { iut: "3", eventSource: "Application", eventID: "1011" },
        "examplePriority@32473": { class: "high" },
      },
      message: "",
    });
  });

  it("unescapes quote, backslash and bracket in a value, and nothing else", () => {
    expect(parseLine(String.raw`<13>1 - - - - - [a b="\"\\\]\n"] m`, "any")).toMatchObject({
      structured: { a: { b: '"\\]\\n' } },
      message: "m",
    });
  });

  it("keeps a name that is given twice, and names that a JavaScript object has of its own", () => {
    const { structured } = parseLine('<13>1 - - - - - [origin ip="1" ip="2" __proto__="x"][constructor a="b"]', "any");
    expect(JSON.stringify(structured)).toBe('{"origin":{"ip":"1","ip#2":"2","__proto__":"x"},"constructor":{"a":"b"}}');
  });

  it("takes damaged structured data as part of the message", () => {
    expect(parseLine('<13>1 - host app - - [a b="c] m', "any")).toMatchObject({
      format: "rfc5424",
      claimedHost: "host",
      message: '[a b="c] m',
    });
  });

  it("reads what rsyslog and logger send", () => {
    expect(
      parseLine(
        '<13>1 2026-11-24T09:10:11.123456+00:00 work root - - [timeQuality tzKnown="1" isSynced="0"] hello',
        "any",
      ),
    ).toMatchObject({
      claimedHost: "work",
      app: "root",
      structured: { timeQuality: { tzKnown: "1", isSynced: "0" } },
      message: "hello",
    });
  });
});

describe("RFC 3164 as it is met", () => {
  const cases: [string, string, object][] = [
    [
      "the RFC's own",
      "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
      {
        facility: 4,
        level: 2,
        claimedTime: "Oct 11 22:14:15",
        claimedHost: "mymachine",
        app: "su",
        message: "'su root' failed",
      },
    ],
    [
      "a tag with a process",
      "<30>Nov  4 09:00:00 work sshd[812]: Accepted key",
      { claimedTime: "Nov  4 09:00:00", claimedHost: "work", app: "sshd", process: "812", message: "Accepted key" },
    ],
    [
      "no host, as journald forwards it",
      "<30>Nov 24 09:00:00 systemd[1]: Started cron.",
      { app: "systemd", process: "1", message: "Started cron." },
    ],
    [
      "no priority, as in a file",
      "Nov 24 09:00:00 work CRON[7]: (root) CMD (true)",
      { claimedHost: "work", app: "CRON", message: "(root) CMD (true)" },
    ],
    ["no date", "<11>app: broken", { level: 3, app: "app", message: "broken" }],
    ["no date and no tag", "<11>it broke", { message: "it broke" }],
    [
      "rsyslog's precise date",
      "<13>2026-11-24T09:10:11.123456+01:00 work root: hi",
      { claimedTime: "2026-11-24T09:10:11.123456+01:00", claimedHost: "work", app: "root", message: "hi" },
    ],
    [
      "an IPv6 host",
      "<13>Nov 24 09:00:00 fe80::1 postfix/smtpd[9]: x",
      { claimedHost: "fe80::1", app: "postfix/smtpd", process: "9" },
    ],
    [
      "a year",
      "<13>Nov 24 2026 09:00:00 fw : %ASA-6-302013: Built",
      { claimedTime: "Nov 24 2026 09:00:00", claimedHost: "fw" },
    ],
    [
      "Cisco's number and unset clock",
      "<189>29: *Nov 24 09:00:00.123: %SYS-5-CONFIG_I: Configured",
      { claimedTime: "Nov 24 09:00:00.123", app: "%SYS-5-CONFIG_I", message: "Configured" },
    ],
    ["a carriage return at its end", "<13>Nov 24 09:00:00 h a: b\r", { message: "b" }],
  ];
  it.each(cases)("%s", (_, line, want) => expect(parseLine(line, "any")).toMatchObject({ format: "rfc3164", ...want }));

  it("looks for no host where none can be", () => {
    expect(parseLine("<13>Nov 24 09:00:00 some words", "hostless")).toMatchObject({ message: "some words" });
  });

  it.each(["hello", "<192>x", "<>x", "", "2026-13", "<13"])("calls %j plain", (line) => {
    expect(parseLine(line, "any")).toEqual({ format: "plain", message: line });
  });
});

describe("Snare", () => {
  const fields = [
    "MSWinEventLog",
    "1",
    "Security",
    "3027",
    "Tue Nov 24 09:00:00 2026",
    "4625",
    "Microsoft-Windows-Security-Auditing",
    "N/A",
    "N/A",
    "Failure Audit",
    "PC-7",
    "Logon",
    "",
    "An account failed to log on.  \tSubject:  S-1-0-0",
    "3026",
  ];
  it.each([
    ["tabs", "\t"],
    ["tabs that a relay escaped", "#011"],
  ])("reads an event between %s", (_, tab) => {
    const [record] = read(`<13>Nov 24 09:00:00 PC-7 ${fields.join(tab)}`);
    expect(record).toMatchObject({
      severity: "warning",
      text: expect.stringContaining("4625 Microsoft-Windows-Security-Auditing: An account failed to log on."),
      body: {
        format: "snare",
        claimedHost: "PC-7",
        event: { eventId: "4625", log: "Security", type: "Failure Audit", checksum: "3026" },
      },
    });
  });

  it("reads one inside RFC 5424, and one with no header at all", () => {
    expect(read(`<14>1 2026-11-24T09:00:00Z PC-7 Snare - - - ${fields.join("\t")}`)[0]).toMatchObject({
      body: { format: "snare", claimedTime: "2026-11-24T09:00:00Z" },
    });
    expect(read(`PC-7\t${fields.join("\t")}`)[0]).toMatchObject({ body: { format: "snare", claimedHost: "PC-7" } });
  });

  it("takes what is cut short for an ordinary line", () => {
    expect(read("<13>Nov 24 09:00:00 PC-7 MSWinEventLog\t1\tSecurity")[0]).toMatchObject({
      body: { format: "rfc3164" },
    });
  });
});

describe("a guest's line", () => {
  it("is stamped by the way it came, whatever it says of itself", () => {
    const [record] = read("<13>Nov 24 09:00:00 some-other-guest app: x");
    expect(record).toMatchObject({
      guest: origin.guest,
      body: { via: "udp", from: "10.0.0.5", claimedHost: "some-other-guest" },
    });
    expect(origin.guest).toMatch(/^unknown-[0-9a-f]{12}$/);
    expect(guests.byAddress("::ffff:10.0.0.5")).toBe(origin.guest);
  });

  it("moves no cursor in its text and keeps every byte in its raw line", () => {
    const line = Buffer.from("<11>a: \x1b[2J\u202eevil\x85\0", "utf8");
    const [record] = read(line);
    expect(record?.text).toBe("a: \\x1b[2J\\u202eevil\\x85");
    expect(bodyOf(line).raw).toBe(line.toString());
    const bad = Buffer.from([0x3c, 0x31, 0x3e, 0xff, 0xfe]);
    expect(bodyOf(bad).rawBase64).toBe(bad.toString("base64"));
  });

  it("is split with a mark where it is too long, between characters, under the first part's header", () => {
    const line = `<11>Nov 24 09:00:00 h app[1]: ${"ä".repeat(2000)}`;
    const records = read(line, 480);
    const bodies = records.map((record) => record.body as GuestLog);
    expect(bodies.map((body) => body.raw).join("")).toBe(line);
    expect(bodies.map((body) => body.part?.number)).toEqual(bodies.map((_, at) => at + 1));
    expect(bodies.map((body) => body.part?.last)).toEqual(bodies.map((_, at) => at === bodies.length - 1));
    expect(new Set(bodies.map((body) => body.part?.of)).size).toBe(1);
    expect(records.every((record) => record.severity === "error" && (record.body as GuestLog).app === "app")).toBe(
      true,
    );
  });

  it("of any bytes becomes records that fit, follow the schema and give the bytes back", () => {
    const start = fc.constantFrom(
      "",
      "<13>",
      "<13>1 - - - - - ",
      '<13>1 - - - - - [a b="',
      "<13>Nov 24 09:00:00 h ",
      "x MSWinEventLog\t",
    );
    const filler = fc.constantFrom("\x01", "\r", "\t", "é", "\\", '[a b="c"]', "a: ", "\u{1f600}", "\0");
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array)),
      fc.tuple(start, fc.uint8Array({ maxLength: 200 })).map(([a, b]) => Buffer.concat([Buffer.from(a), b])),
      fc.tuple(start, filler, fc.nat(140_000)).map(([a, b, n]) => Buffer.from(a + b.repeat(Math.ceil(n / b.length)))),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(480, 8192, 131_072), (line, max) => {
        const records = readDatagram({ bytes: line, origin }, "any", max, 0);
        expect(records.length).toBeGreaterThan(0);
        const back = records.map((record) => {
          const body = GuestLog.parse(record.body);
          expect(record.text.length).toBeLessThanOrEqual(TEXT_CHARS_MAX);
          expect(contentBytes(record).length).toBeLessThanOrEqual(CONTENT_BYTES_MAX);
          return body.raw === undefined ? Buffer.from(body.rawBase64!, "base64") : Buffer.from(body.raw);
        });
        expect(Buffer.concat(back).equals(line.at(-1) === 10 ? line.subarray(0, -1) : line)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("of nothing but carriage returns is read in no more time than any other", () => {
    const started = performance.now();
    parseLine(`${"\r".repeat(131_000)}x`, "any");
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
