/** Records as they lie in a trail → inputs, whole ones, whatever lies between. */
import { describe, expect, it } from "vitest";
import { type GatheredRecord, gather, noPending, Pending } from "./gather.ts";
import { Input } from "./input.ts";

const AT = Date.parse("2026-11-24T12:34:56.789Z");
const HOUR = Math.floor(AT / 3_600_000) * 60;
const record = (index: number, kind: string, body: unknown, more: Partial<GatheredRecord> = {}): GatheredRecord => ({
  index,
  timeMs: AT,
  kind,
  severity: 1,
  guest: "",
  body,
  ...more,
});
const DEVICE = {
  port: "1-2",
  bus: 1,
  address: 7,
  id: "0951:1666",
  serial: "A1\u0000",
  name: "stick",
  maker: "m",
  interfaces: ["08:06:50"],
  interfaceCount: 1,
  speed: "480",
  connectType: "hotplug",
  descriptors: "a".repeat(64),
  hash: "h",
  parentHash: "p",
};
const STICK = "1-2/0951:1666/7";
const file = (finding: string, type: string) => ({
  path: `${finding} ${type}`,
  size: 1,
  md5: null,
  sha256: null,
  type,
  finding,
});
const scan = (manifest: unknown[], parts?: object) => ({
  manifest,
  scanner: null,
  verdict: "hold",
  reason: "r",
  ...(parts && { parts }),
});
const drop = (more: object) => ({
  source: "10.1.0.2",
  destination: "192.0.2.1",
  destinationPort: 443,
  protocol: "tcp",
  event: {},
  ...more,
});
const inputs = (...records: GatheredRecord[]) => gather(3, records, noPending()).map(({ input }) => input);

describe("a device", () => {
  const seen = record(5, "usb.device", { stick: STICK, device: DEVICE });
  const step = (reason: string) => record(8, "usb.step", { stick: STICK, step: "classified", reason });
  it("is told where it was seen, once it is judged, also in a later look", () => {
    const pending = noPending();
    expect(gather(3, [seen], pending)).toEqual([]);
    const carried = Pending.parse(JSON.parse(JSON.stringify(pending)));
    const [row] = gather(3, [step("one storage interface (allow …)")], carried);
    expect(row).toMatchObject({
      firstIndex: 5,
      lastIndex: 5,
      bucket: HOUR,
      count: 1,
      input: { kind: "device", pinned: false, blocked: false },
    });
    expect(carried.devices).toEqual({});
    expect(Input.parse(JSON.parse(JSON.stringify(row!.input)))).toEqual(row!.input);
  });
  it("is known as pinned, or blocked, by what the gate said", () => {
    expect(inputs(seen, step("pinned at installation (pinned)"))).toMatchObject([{ pinned: true }]);
    const verdict = {
      stick: STICK,
      verdict: "block",
      rule: "implicit",
      reason: "no device rule matches",
      about: "device",
    };
    expect(inputs(seen, record(9, "usb.verdict", verdict))).toMatchObject([{ blocked: true }]);
    expect(inputs(step("of a device nobody saw"))).toEqual([]);
  });
  it("that is never judged is forgotten, when there are too many", () => {
    const pending = noPending();
    const many = Array.from({ length: 500 }, (_, at) => record(at, "usb.device", { stick: `s${at}`, device: DEVICE }));
    gather(3, many, pending);
    expect(Object.keys(pending.devices).length).toBeLessThan(70);
  });
});

describe("a scan", () => {
  it("keeps one file of each finding and type, and no name", () => {
    const body = scan([file("clean", "text/plain"), file("clean", "text/plain"), file("infected", "text/plain")]);
    const [input] = inputs(record(5, "usb.scan", body));
    expect(input).toMatchObject({ kind: "scan", of: "3/5", files: 3, verdict: "hold", missing: 0 });
    expect(input?.kind === "scan" && input.facts.manifest.map(({ path, finding }) => [path, finding])).toEqual([
      ["clean", "clean"],
      ["infected", "infected"],
    ]);
  });
  it("in parts is one, once all have come", () => {
    const root = "b".repeat(64);
    const part = (index: number, type: string) =>
      record(5 + index, "usb.scan", scan([file("clean", type)], { index, of: 3, root }));
    const pending = noPending();
    expect(gather(3, [part(0, "text/plain"), part(1, "image/png")], pending)).toEqual([]);
    const [row] = gather(3, [part(2, "audio/ogg")], pending);
    expect(row).toMatchObject({ firstIndex: 5, lastIndex: 7, input: { files: 3, missing: 0 } });
    expect(row?.input.kind === "scan" && row.input.facts.manifest.length).toBe(3);
  });
  it("whose parts did not all come says how many are missing, when it is scanned again", () => {
    const root = "b".repeat(64);
    const first = record(5, "usb.scan", scan([], { index: 0, of: 3, root }));
    expect(inputs(first, { ...first, index: 9 })).toMatchObject([{ of: "3/5", missing: 2 }]);
  });
});

describe("traffic", () => {
  it.each<[string, object, object | undefined]>([
    [
      "out",
      { in: "vif1.0", out: "up0", rule: "otherwise out" },
      { from: "guest", to: "world", destination: "192.0.2.1", seen: "dropped" },
    ],
    ["in", { in: "up0", out: "vif1.0", rule: "rule 2 web" }, { from: "world", to: "guest", source: "10.1.0.2" }],
    ["to dom0", { in: "vif1.0", rule: "otherwise out" }, { from: "guest", to: "dom0" }],
    ["that audit mode let pass", { in: "vif1.0", out: "up0", rule: "audit otherwise out" }, { seen: "audited" }],
    ["that was spoofed", { in: "vif1.0", out: "up0", rule: "spoofed" }, { reason: "spoofed" }],
    ["that the deny overlay dropped", { in: "vif1.0", out: "up0", rule: "deny 0123456789ab" }, undefined],
    ["that another's rule logged", { in: "vif1.0", out: "up0", rule: "sallyport drop" }, undefined],
    ["with no address", { in: "vif1.0", out: "up0", rule: "otherwise out", destination: "?" }, undefined],
  ])("dropped %s", (_, body, expected) => {
    const [input] = inputs(record(5, "net.drop", drop(body)));
    if (expected === undefined) expect(input).toBeUndefined();
    else expect(input).toMatchObject(expected);
  });
  it("that was not answered is no decision, and what was went on its way", () => {
    const body = (answered: number) => ({
      ...drop({}),
      type: "flow",
      eventTime: "",
      event: { flow: { pkts_toclient: answered } },
    });
    expect(inputs(record(5, "ids.event", body(0)))).toEqual([]);
    expect(inputs(record(5, "ids.event", body(2)))).toMatchObject([
      { from: "guest", to: "world", seen: "flow", destination: "192.0.2.1" },
    ]);
    expect(inputs(record(5, "ids.event", { ...body(2), type: "dns" }))).toEqual([]);
  });
  it("to the same place from other ports is the same input", () => {
    const [a, b] = inputs(
      ...[1, 2].map((port) =>
        record(port, "net.drop", drop({ in: "vif1.0", out: "up0", rule: "otherwise out", sourcePort: port })),
      ),
    );
    expect(a).toEqual(b);
  });
});

it("lines are counted by the minute, and those held back by when they were", () => {
  const log = { via: "udp", from: "vif1.0", format: "plain", message: "abc" };
  const held = {
    via: "udp",
    from: "vif1.0",
    lines: 40,
    bytes: 900,
    since: "2026-11-24T12:00:00.500Z",
    until: "2026-11-24T12:00:01.000Z",
    reason: "rate",
  };
  const rows = gather(
    3,
    [record(5, "guest.log", log, { guest: "work" }), record(6, "guest.suppressed", held, { guest: "work" })],
    noPending(),
  );
  expect(rows).toMatchObject([
    { bucket: HOUR + 34, count: 1, bytes: 3, guest: "work", input: { kind: "lines", via: "udp", severity: "info" } },
    { bucket: HOUR, count: 40, bytes: 900, input: { held: "rate" } },
  ]);
});
