import fc from "fast-check";
import { expect, test } from "vitest";
import { clientAddress, readTrusted } from "./address.ts";

const nobody = readTrusted(undefined);
const site = readTrusted("127.0.0.1, 10.0.0.0/8 ::1,fd00::/8");

test.each([
  ["nobody is trusted: the socket's address, whatever is claimed", "203.0.113.9", "1.2.3.4", nobody, "203.0.113.9"],
  ["not even this machine is", "127.0.0.1", "1.2.3.4", nobody, "127.0.0.1"],
  ["one proxy", "127.0.0.1", "203.0.113.9", site, "203.0.113.9"],
  ["what the client itself wrote before the proxy's word", "127.0.0.1", "1.2.3.4, 203.0.113.9", site, "203.0.113.9"],
  ["two proxies", "127.0.0.1", "1.2.3.4, 203.0.113.9, 10.1.2.3", site, "203.0.113.9"],
  ["a proxy that adds nothing", "10.1.2.3", undefined, site, "10.1.2.3"],
  ["a client that comes round the proxy", "203.0.113.9", "10.0.0.1", site, "203.0.113.9"],
  ["a claim that is no address", "127.0.0.1", "203.0.113.9, unknown", site, "127.0.0.1"],
  ["a mapped address", "::ffff:127.0.0.1", "203.0.113.9", site, "203.0.113.9"],
  ["an address with a port", "::1", "203.0.113.9:4711", site, "203.0.113.9"],
  ["an IPv6 address in brackets", "fd00::5", "[2001:db8::1]:443", site, "2001:db8::1"],
])("%s", (_what, peer, forwarded, trusted, wanted) => {
  expect(clientAddress(peer, forwarded, trusted)).toBe(wanted);
});

test("a header, however odd, never moves an address that comes from outside", () => {
  fc.assert(
    fc.property(fc.string(), (forwarded) => {
      expect(clientAddress("203.0.113.9", forwarded, site)).toBe("203.0.113.9");
    }),
  );
});

test.each(["10.0.0.0/33", "proxy.example.org", "10.0.0.0/8/8", "::1/129", "10.0.0.0/-1", "*"])(
  "the setting %s is refused by name",
  (setting) => {
    expect(() => readTrusted(`127.0.0.1 ${setting}`)).toThrow(`"${setting}" is neither`);
  },
);
