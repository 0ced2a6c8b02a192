import { expect, test } from "vitest";
import { checkedAddresses, reachable } from "./address.ts";

const PRIVATE = [
  ...["127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.100.100.200"],
  ...["169.254.169.254", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255"],
  ...[
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001::1",
  ],
  ...[
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:a9fe:a9fe",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "localhost",
    "",
  ],
];
/** Has a public number and leads to the platform that a machine of Azure runs on. */
const PLATFORM = "168.63.129.16";
const PUBLIC = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"];

test("only public addresses may be connected to", () => {
  const may = reachable(undefined);
  expect([...PRIVATE, PLATFORM, `::ffff:${PLATFORM}`].filter(may)).toEqual([]);
  expect(PUBLIC.filter((address) => !may(address))).toEqual([]);
});

test("a site lists its own, and these alone are added", () => {
  const may = reachable("10.20.0.0/16, fd00:5::/64 127.0.0.1");
  expect(["10.20.255.1", "fd00:5::9", "127.0.0.1", "::ffff:10.20.0.1", "1.1.1.1"].filter((each) => !may(each))).toEqual(
    [],
  );
  expect(["10.21.0.1", "fd00:6::1", "127.0.0.2", "169.254.169.254"].filter(may)).toEqual([]);
});

test.each(["10.0.0.0/33", "10.0.0.0/", "nonsense", "10.0.0.0/8/8", "10.0.0.0/x", "fd00::/129"])(
  "a setting that says %s stops the worker with a sentence",
  (setting) => expect(() => reachable(setting)).toThrow(/SALLYPORT_ALERT_NETWORKS: ".*" is neither/),
);

test("a name is resolved once, and what is connected to is the address that was looked at", async () => {
  let asked = 0;
  const rebinding = async () => [["1.1.1.1"], ["127.0.0.1"]][asked++]!;
  expect(await checkedAddresses("rebind.example", reachable(undefined), rebinding)).toEqual(["1.1.1.1"]);
  expect(asked).toBe(1);
});

test("a name of a private address, and one written as such, is refused by name", async () => {
  const may = reachable(undefined);
  await expect(checkedAddresses("inside.example", may, async () => ["10.0.0.9"])).rejects.toThrow(
    "inside.example is 10.0.0.9, which is not a public address. Where it is meant, list it in SALLYPORT_ALERT_NETWORKS.",
  );
  await expect(checkedAddresses("[::1]", may)).rejects.toThrow(/^::1 is not a public address/);
  await expect(checkedAddresses("gone.example", may, async () => [])).rejects.toThrow("gone.example has no address.");
  expect(await checkedAddresses("both.example", may, async () => ["10.0.0.9", "1.1.1.1"])).toEqual(["1.1.1.1"]);
});
