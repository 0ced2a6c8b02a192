import { expect, test } from "vitest";
import { exposure } from "./exposure.ts";

const HOST = "console.example.org";

test("without a name for others, or with one of this machine, everything listens on this machine alone", () => {
  for (const host of [undefined, "localhost", "127.0.0.1", "127.0.1.1", "::1"])
    expect(exposure(host, {})).toMatchObject({ bind: "127.0.0.1", consoleBind: "127.0.0.1", warning: undefined });
});

test("plain HTTP to the network is refused with what to do, unless somebody said that it is a trial", () => {
  for (const env of [
    {},
    { SALLYPORT_INSECURE_HTTP: "0" },
    { SALLYPORT_INSECURE_HTTP: "" },
    { SALLYPORT_TRUSTED_PROXIES: " " },
  ])
    expect(() => exposure(HOST, env)).toThrow(/TLS.*SALLYPORT_TRUSTED_PROXIES.*SALLYPORT_INSECURE_HTTP=1/s);
  expect(exposure("localhost.example.org.", { SALLYPORT_INSECURE_HTTP: "1" })).toMatchObject({
    consoleBind: "0.0.0.0",
    warning: expect.stringMatching(/in the clear/),
  });
});

test("behind a proxy the console's address is https, and the pages listen only where the proxy is", () => {
  expect(exposure(HOST, { SALLYPORT_TRUSTED_PROXIES: "127.0.0.1, ::1" })).toEqual({
    bind: "0.0.0.0",
    consoleBind: "127.0.0.1",
    publicUrl: "https://console.example.org",
    warning: undefined,
  });
  const elsewhere = { SALLYPORT_TRUSTED_PROXIES: "10.0.0.0/8", SALLYPORT_URL: "https://sally.example.org:444/" };
  expect(exposure(HOST, elsewhere)).toMatchObject({
    consoleBind: "0.0.0.0",
    publicUrl: "https://sally.example.org:444",
  });
  expect(() => exposure(HOST, { ...elsewhere, SALLYPORT_URL: "http://sally.example.org" })).toThrow(
    /must be the https/,
  );
});
