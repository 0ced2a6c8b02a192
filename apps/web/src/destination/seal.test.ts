import { expect, test } from "vitest";
import { Given, shown, type Target } from "./destination.ts";
import { sealWith, targetOf } from "./seal.ts";
import { signed } from "./sign.ts";

const SECRET = "a session secret";
const target = targetOf({ kind: "webhook", url: "https://hooks.example.org/services/T0/B0/XYZ" });

test("what is kept opens for its own destination under the same secret, and for nothing else", () => {
  const sealed = sealWith(SECRET).seal("one", target);
  expect(sealed.toString("latin1")).not.toMatch(/hooks|whsec/);
  expect(sealWith(SECRET).open("one", sealed)).toEqual(target);
  for (const open of [
    () => sealWith("another").open("one", sealed),
    () => sealWith(SECRET).open("two", sealed),
    () => sealWith(SECRET).open("one", Buffer.concat([sealed.subarray(0, -1), Buffer.from([sealed.at(-1)! ^ 1])])),
    () => sealWith(SECRET).open("one", Buffer.alloc(0)),
  ])
    expect(open).toThrow(/cannot be opened with this console's session secret/);
});

test("each webhook gets a secret of its own; the pages show of an address only the host", () => {
  expect(target).toMatchObject({ secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) });
  expect(targetOf({ kind: "webhook", url: "https://a.example/x" })).not.toMatchObject({
    secret: (target as Extract<Target, { kind: "webhook" }>).secret,
  });
  expect(shown(target)).toBe("https://hooks.example.org/…");
  expect(shown({ kind: "syslog", host: "::1", port: 601, transport: "tcp" })).toBe("[::1]:601 TCP, in the clear");
});

test("a signature is as Standard Webhooks' own example has it", () =>
  expect(
    signed(
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1614265330,
      '{"test": 2432232314}',
    ),
  ).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  }));

test.each([
  { kind: "webhook", url: "http://hooks.example.org/" },
  { kind: "webhook", url: "https://user:word@hooks.example.org/" },
  { kind: "webhook", url: "file:///etc/passwd" },
  { kind: "webhook", url: "https://hooks.example.org/", ca: "no certificate" },
  { kind: "syslog", host: "siem example", port: 6514, transport: "tls" },
  { kind: "syslog", host: "siem.example", port: 0, transport: "tls" },
  { kind: "syslog", host: "siem.example/x", port: 6514, transport: "udp" },
])("%j is refused", (given) => expect(Given.safeParse(given).success).toBe(false));
