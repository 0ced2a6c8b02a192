import fc from "fast-check";
import { expect, test } from "vitest";
import { linksOf, tiesOf } from "./links.ts";

const alert = {
  kind: "ids.alert",
  body: {
    flow: "1889216389123456789",
    source: "10.0.0.5",
    sourcePort: 51544,
    destination: "203.0.113.9",
    destinationPort: 443,
    protocol: "TCP",
  },
};

const answer = {
  source: "203.0.113.9",
  sourcePort: 443,
  destination: "10.0.0.5",
  destinationPort: 51544,
  protocol: "tcp",
};

test.each([
  ["a flow record of the alert's flow", "ids.event", { flow: "1889216389123456789", type: "flow" }, ["flow"]],
  ["the way back of its connection", "net.drop", answer, ["connection"]],
  ["another connection of the same machine", "net.drop", { ...answer, sourcePort: 80 }, []],
  ["a guest's line that names the address", "guest.log", { message: "203.0.113.9" }, []],
])("an IDS alert and %s: %s", (_what, kind, body, ties) => {
  expect(tiesOf(linksOf(alert.kind, alert.body), { kind, body })).toEqual(ties);
});

test("a stick's steps, its scan and its second visit belong together", () => {
  const image = { sha256: "ab".repeat(32), size: 4 };
  const scan = linksOf("usb.scan", { source: "holiday.img", image, manifest: [] });
  expect(tiesOf(scan, { kind: "usb.scan", body: { source: "holiday.img" } })).toEqual(["stick"]);
  expect(tiesOf(scan, { kind: "usb.attach", body: { stick: "1-2/0951:1666", imageSha256: image.sha256 } })).toEqual([
    "image",
  ]);
  const device = linksOf("usb.device", { stick: "1-2/0951:1666" });
  expect(tiesOf(device, { kind: "usb.removed", body: { stick: { id: "1-2/0951:1666" } } })).toEqual(["stick"]);
});

test("one process of a guest is told from another of the same name", () => {
  const line = { app: "sshd", process: "411", from: "vif1.0" };
  const links = linksOf("guest.log", line);
  expect(tiesOf(links, { kind: "guest.log", body: { ...line } })).toEqual(["process"]);
  expect(tiesOf(links, { kind: "guest.log", body: { ...line, process: "412" } })).toEqual([]);
  expect(tiesOf(links, { kind: "guest.log", body: { ...line, from: "vif2.0" } })).toEqual([]);
});

test("what a person published and what an agent applied meet in the digest", () => {
  const digest = "cd".repeat(32);
  const links = linksOf("policy.applied", { digest, order: 2, outcomes: {} });
  expect(tiesOf(links, { kind: "person.policy-published", body: { after: { digest, order: 2 } } })).toEqual(["policy"]);
});

test("no body, however odd, breaks the reading, and each tie is one the record itself has", () => {
  const kind = fc.constantFrom(
    "usb.scan",
    "ids.event",
    "guest.log",
    "person.x",
    "trail.opened",
    "policy.applied",
    "x.y",
  );
  fc.assert(
    fc.property(kind, fc.jsonValue(), (each, body) => {
      const links = linksOf(each, body);
      expect(links.length).toBeLessThanOrEqual(12);
      expect(tiesOf(links, { kind: each, body })).toEqual(links.map(({ tie }) => tie));
      for (const { needles } of links) expect(needles.length).toBeGreaterThan(0);
    }),
  );
});
