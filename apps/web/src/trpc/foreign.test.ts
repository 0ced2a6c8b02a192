import { expect, test } from "vitest";
import { refuseForeign } from "./foreign.ts";

const ask = (method: string, headers: Record<string, string>) =>
  refuseForeign(
    new Request("http://console:3000/api/trpc/x", { method, headers: { "content-length": "2", ...headers } }),
  )?.status ?? "let through";

test.each([
  ["a page of our own", "POST", { "sec-fetch-site": "same-origin", origin: "http://console:3000" }, "let through"],
  [
    "an older browser on a page of our own",
    "POST",
    { origin: "http://console:3000", host: "console:3000" },
    "let through",
  ],
  ["a program with a token", "POST", { authorization: "Bearer x" }, "let through"],
  ["reading", "GET", { "sec-fetch-site": "cross-site" }, "let through"],
  ["another site's form", "POST", { "sec-fetch-site": "cross-site", origin: "http://evil" }, 403],
  ["another port of the same machine", "POST", { "sec-fetch-site": "same-site", origin: "http://console:4000" }, 403],
  ["an older browser on another site", "POST", { origin: "http://evil", host: "console:3000" }, 403],
  ["an opaque origin", "POST", { origin: "null", host: "console:3000" }, 403],
  ["nothing that says where from", "POST", {}, 403],
  ["a body of unknown length", "POST", { "sec-fetch-site": "same-origin", "content-length": "" }, 411],
  ["a body beyond the bound", "POST", { "sec-fetch-site": "same-origin", "content-length": "1048577" }, 413],
])("%s: %s %o", (_who, method, headers, wanted) => {
  expect(ask(method, headers as Record<string, string>)).toBe(wanted);
});
