import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  flip,
  flipped,
  index,
  json,
  order,
  sha256,
  shape,
  spoiled,
  textOf,
  time,
  uuid,
  words,
} from "../../test/drawn.ts";
import { hash, newSigner, verify } from "../../test/keys.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { GroupId, GuestId, PolicyDigest, SessionId, TrailId, WorkstationId } from "../base/ids.ts";
import { SECTIONS } from "../policy/policy.ts";
import { isSignedBy, readSigned, signValue } from "../trail/signed.ts";
import { drift } from "./drift.ts";
import { Reported } from "./reported.ts";

const key = newSigner();
const digest = sha256 as fc.Arbitrary<PolicyDigest>;
const hex = fc.nat().map((value) => `0x${value.toString(16)}`);
const layout = shape(
  {
    hypervisor: fc.constantFrom("xen" as const, "none" as const),
    version: words(128),
    isolation: fc.constantFrom("iommu" as const, "direct-map" as const, "emulated" as const, "none" as const),
    regions: fc.array(fc.record({ owner: words(128), from: hex, to: hex }), { maxLength: 2 }),
    devices: fc.array(fc.record({ sbdf: words(32), class: words(64), owner: words(128) }), { maxLength: 2 }),
    audit: fc.record({ pages: index, wrong: index }),
  },
  ...(["hypervisor", "isolation", "regions", "devices"] as const),
);
const section = shape(
  { outcome: fc.constantFrom("applied", "audit", "not-applied", "failed"), reason: words(1024), found: json },
  "outcome",
);
const source = shape({ state: fc.constantFrom("running", "absent", "failed"), reason: words(512) }, "state");
const overlaid = shape(
  { outcome: fc.constantFrom("applied" as const, "audit" as const, "failed" as const), reason: words(1024) },
  "outcome",
);
const REQUIRED = [
  ...(["workstation", "session", "at", "agentVersion", "hostname", "group", "trail", "spool", "policy"] as const),
  ...(["sections", "sources", "guests"] as const),
];
const reported = shape(
  {
    workstation: uuid<WorkstationId>(),
    session: uuid<SessionId>(),
    at: time,
    agentVersion: words(64),
    hostname: words(256),
    group: uuid<GroupId>(),
    trail: fc.record({ id: uuid<TrailId>(), size: index, root: sha256 }),
    spool: shape({ records: index, bytes: index, bytesMax: index, oldestTime: time }, "records", "bytes", "bytesMax"),
    policy: fc.option(fc.record({ digest, order, taken: time, old: fc.boolean() })),
    sections: fc.dictionary(fc.constantFrom(...SECTIONS, "another"), section),
    refused: fc.record({ code: words(64), reason: words(1024), at: time }),
    sources: fc.dictionary(fc.constantFrom("syslog", "eve"), source),
    layout,
    guests: fc.array(fc.record({ id: fc.constant("work" as GuestId), name: words(128) }), { maxLength: 2 }),
    certificateNotAfter: time,
    overlays: fc.array(
      shape(
        { audience: words(64), order, digest: sha256, entries: index, usb: overlaid, network: overlaid },
        ...(["audience", "order", "digest", "entries"] as const),
      ),
      { maxLength: 2 },
    ),
  } as { [Each in keyof Reported]-?: fc.Arbitrary<Reported[Each]> },
  ...REQUIRED,
) as fc.Arbitrary<Reported>;

describe("a signed report", () => {
  it("of any value is answered, never thrown", () => {
    const message = fc.oneof(
      spoiled(reported).map((value) => JSON.stringify({ text: textOf(value), signatures: [] })),
      spoiled(reported.map((value) => signValue(hash, key, "sallyport/reported/1", value))).map(textOf),
    );
    fc.assert(
      fc.property(message, (text) => {
        const read = readSigned(Reported, JSON.parse(text));
        if (!read.ok) expect(read.error).not.toBe("");
      }),
    );
  });

  it("reads back as it was signed", () => {
    fc.assert(
      fc.property(reported, (value) => {
        const read = readSigned(
          Reported,
          JSON.parse(JSON.stringify(signValue(hash, key, "sallyport/reported/1", value))),
        );
        if (!read.ok) throw new Error(read.error);
        expect(read.value.value).toEqual(JSON.parse(JSON.stringify(value)));
        expect(isSignedBy(verify, key.publicKey, "sallyport/reported/1", read.value.signed)).toBe(true);
      }),
    );
  });

  it("is refused after one byte of it changed", () => {
    fc.assert(
      fc.property(reported, flip, (value, change) => {
        const signed = signValue(hash, key, "sallyport/reported/1", value);
        const text = new TextDecoder().decode(flipped(toUtf8(signed.text), change));
        fc.pre(text !== signed.text); // a character that is U+FFFD already
        const read = readSigned(Reported, { ...signed, text });
        expect(read.ok && isSignedBy(verify, key.publicKey, "sallyport/reported/1", read.value.signed)).toBe(false);
      }),
    );
  });
});

describe("drift", () => {
  it("is none only where the very revision is in force and each section says so", () => {
    fc.assert(
      fc.property(reported, digest, order, fc.boolean(), (report, other, order, same) => {
        const wanted = { digest: same && report.policy ? report.policy.digest : other, order };
        const found = drift(wanted, report);
        const inForce =
          report.policy?.digest === wanted.digest &&
          report.policy.order >= wanted.order &&
          SECTIONS.every((name) => ["applied", "audit"].includes(report.sections[name]?.outcome ?? ""));
        expect(found.state === "none").toBe(inForce);
      }),
    );
  });
});
