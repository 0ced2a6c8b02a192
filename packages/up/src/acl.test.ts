import { describe, expect, it } from "vitest";
import { mayPublish, maySubscribe } from "./acl.ts";

const ID = "0a6e24d2-9c86-4c93-a1a5-1cf2f2b1c001";
const OTHER = "ff6e24d2-9c86-4c93-a1a5-1cf2f2b1c002";
const own = (channel: string) => `sallyport/1/0a/${ID}/${channel}`;

describe("who may write and read which topic", () => {
  it.each([
    [ID, own("batch"), true],
    [ID, own("presence"), true],
    [ID, own("reported"), true],
    [ID, own("receipt"), false],
    [ID, own("desired"), false],
    [ID, own("command"), false],
    [ID, own("refused"), false],
    [OTHER, own("refused"), false],
    ["worker", own("refused"), false],
    [ID, `sallyport/1/ff/${ID}/batch`, false],
    [ID, `sallyport/2/0a/${ID}/batch`, false],
    [OTHER, own("batch"), false],
    ["", own("batch"), false],
    ["workers", own("receipt"), false],
    ["worker", own("receipt"), true],
    ["worker", "sallyport/1/+/+/receipt", false],
    ["worker", "$SYS/x", false],
  ])("publishing: %s to %s: %s", (name, topic, may) => expect(mayPublish(name, topic)).toBe(may));

  it.each([
    [ID, own("receipt"), true],
    [ID, own("desired"), true],
    [ID, own("command"), true],
    [ID, own("batch"), false],
    [ID, own("refused"), false],
    [ID, `sallyport/1/0a/${ID}/+`, false],
    [ID, "#", false],
    [ID, "sallyport/1/+/+/receipt", false],
    [OTHER, own("receipt"), false],
    ["worker", "sallyport/1/0a/+/batch", true],
    ["worker", "sallyport/1/0a/+/refused", true],
    ["worker", "#", false],
  ])("subscribing: %s to %s: %s", (name, filter, may) => expect(maySubscribe(name, filter)).toBe(may));
});
