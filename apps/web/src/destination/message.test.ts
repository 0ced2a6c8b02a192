import { expect, test } from "vitest";
import { type AlertSent, chatText, messageOf, testMessage, webhookBody } from "./message.ts";

const ID = "8f2c2a6e-7c1b-4c7e-9d51-0b6f2f1c9a10";
const alert = (more: Partial<AlertSent> = {}): AlertSent => ({
  ...{
    id: "7",
    key: "scan/1/32",
    kind: "usb.scan",
    severity: 4,
    title: "SanDisk: block",
    reason: "eicar.com is infected",
  },
  raisedAt: new Date("2026-11-29T15:00:00Z"),
  lastAt: new Date("2026-11-29T15:00:00Z"),
  count: 1,
  workstation: { id: "w", name: "fin-02" },
  record: { trail: 1, index: "32" },
  ...more,
});

test("a webhook's body says what, whose, how bad and where to look, and has a text for chats", () => {
  expect(JSON.parse(webhookBody(messageOf(ID, alert(), "https://console.example.org/")))).toEqual({
    type: "alert.raised",
    timestamp: "2026-11-29T15:00:00.000Z",
    text: "[error] fin-02: SanDisk: block: eicar.com is infected\nhttps://console.example.org/alerts?open=7",
    data: {
      alert: {
        ...{ id: "7", kind: "usb.scan", rule: "usb.scan", severity: "error", title: "SanDisk: block" },
        ...{ reason: "eicar.com is infected", count: 1, workstation: { id: "w", name: "fin-02" } },
        ...{ record: { trail: 1, index: "32" }, link: "https://console.example.org/alerts?open=7" },
      },
    },
  });
});

test("what a guest wrote calls nobody, links nowhere, and moves no cursor", () => {
  const title = "<!channel> @all [here](https://evil.example) www.evil.example\r\n\u001b[2J\u202e& more";
  const text = chatText(messageOf(ID, alert({ title, reason: "x\u0000y" }), undefined));
  expect(text).not.toMatch(/<|>|@all|\]\(|:\/\/|www\.|[\u0000-\u001f\u202e]/);
  expect(text).toContain("&lt;!channel&gt;");
  expect(text).toContain("\\r\\n\\x1b[2J\\u202e&amp; more");
  expect(text).toContain("x\\x00y");
  const { data } = JSON.parse(webhookBody(messageOf(ID, alert({ title }), undefined)));
  expect(data.alert.title).toBe(
    "<!channel> @all [here](https://evil.example) www.evil.example\\r\\n\\x1b[2J\\u202e& more",
  );
  expect(data.alert.link).toBeNull();
});

test("its size is bounded, whatever the size of what was said", () => {
  const huge = "😀\u202e".repeat(100_000);
  const body = webhookBody(
    messageOf(ID, alert({ title: huge, reason: huge, key: huge, kind: "ids.alert" }), "https://c"),
  );
  expect(Buffer.byteLength(body)).toBeLessThan(16_384);
  expect([...JSON.parse(body).data.alert.title]).toHaveLength(300);
});

test("an alert of the intrusion detector names its signature", () => {
  const message = messageOf(ID, alert({ kind: "ids.alert", key: "ids/w/2026-11-29/2100498" }), undefined);
  expect(message.alert.rule).toBe("ids.alert/2100498");
});

test("a test says that it is one", () => {
  const message = testMessage(ID, "SIEM", new Date(0), "https://c");
  expect(JSON.parse(webhookBody(message))).toMatchObject({
    type: "test",
    text: expect.stringMatching(/^\[info\] A test/),
  });
});
