import { expect, test } from "vitest";
import { type AlertSent, messageOf } from "./message.ts";
import { framed, SYSLOG_BYTES_MAX, syslogText } from "./syslog.ts";

const ID = "8f2c2a6e-7c1b-4c7e-9d51-0b6f2f1c9a10";
const message = (more: Partial<AlertSent> = {}) =>
  messageOf(
    ID,
    {
      ...{ id: "7", key: "scan/1/32", kind: "usb.scan", severity: 4, title: "SanDisk: block", reason: "infected" },
      ...{ raisedAt: new Date(0), lastAt: new Date("2026-11-29T15:00:00Z"), count: 2, record: null },
      workstation: { id: "w", name: "fin-02" },
      ...more,
    },
    "https://c",
  );

test("an alert as RFC 5424 says it, with what a rule of a SIEM asks for in structured data", () =>
  expect(syslogText(message(), "console.example.org")).toBe(
    `<83>1 2026-11-29T15:00:00.000Z console.example.org sallyport - usb.scan [sallyport@32473 message="${ID}" alert="7" kind="usb.scan" rule="usb.scan" severity="error" count="2" workstation="fin-02" workstationId="w" link="https://c/alerts?open=7"] \ufeffSanDisk: block: infected`,
  ));

test("nothing that was said ends a value, a line or a message before its time", () => {
  const name = 'a"] [forged x="1\\';
  const text = syslogText(message({ workstation: { id: "w", name }, title: "one\n<0>1 two\u0000" }), "my host\n");
  expect(text).toContain('workstation="a\\"\\] [forged x=\\"1\\\\" workstationId="w"');
  expect(text).toContain("\ufeffone\\n<0>1 two\\x00: infected");
  expect(text).toContain(" my_host_ sallyport ");
  expect(text).not.toMatch(/[\u0000-\u001f\u007f]/);
});

test("no message is larger than what every receiver takes, and the last character is whole", () => {
  const huge = "😀".repeat(10_000);
  const text = syslogText(message({ title: huge, reason: huge, workstation: { id: "w", name: huge } }), huge);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(SYSLOG_BYTES_MAX);
  expect(text).not.toContain("\ufffd");
});

test("a frame counts octets, not characters", () => expect(framed("é").toString()).toBe("2 é"));
