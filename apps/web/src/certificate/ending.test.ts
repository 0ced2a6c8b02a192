import { expect, test } from "vitest";
import { type Certificate, endings } from "./ending.ts";

const END = new Date("2027-06-30T00:00:00.000Z");
const DAY_MS = 86_400_000;
const before = (certificate: Certificate, days: number) =>
  endings([certificate], new Date(END.getTime() - days * DAY_MS)).map(({ severity, key }) => [
    severity,
    key.split("/").at(-1),
  ]);
const broker: Certificate = { of: "server", name: "the broker", notAfter: END };

test("a server's certificate is told 60 and 14 days before its end, and at it; each step is another alert", () => {
  expect([397, 61, 60, 15, 14, 1, 0, -3].map((days) => before(broker, days)[0])).toEqual([
    undefined,
    undefined,
    ["warning", "60"],
    ["warning", "60"],
    ["error", "14"],
    ["error", "14"],
    ["critical", "0"],
    ["critical", "0"],
  ]);
});

test("a workstation's is told when its agent has not renewed it for more than two weeks", () => {
  const workstation: Certificate = { of: "workstation", name: "lab-07", workstation: "w", notAfter: END };
  expect([30, 15, 14, 0].map((days) => before(workstation, days)[0]?.[0])).toEqual([
    undefined,
    undefined,
    "error",
    "critical",
  ]);
  expect(endings([workstation], END)).toMatchObject([
    {
      workstation: "w",
      key: `certificate/w/${END.toISOString()}/0`,
      title: "The certificate of lab-07 ended on 2027-06-30",
    },
  ]);
});

test("a CA's is told a year ahead", () =>
  expect([366, 365].map((days) => before({ of: "ca", name: "the CA", notAfter: END }, days).length)).toEqual([0, 1]));

test("a renewed certificate has keys of its own, so that its predecessor's alerts can be told apart", () => {
  const key = (notAfter: Date) => endings([{ ...broker, notAfter }], notAfter)[0]?.key;
  expect(key(END)).not.toBe(key(new Date(END.getTime() + 397 * DAY_MS)));
});
