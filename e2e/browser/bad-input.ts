/** What no page of the console would ask, each with the answer it must get: a 4xx and a sentence that says what is wrong. */
import { request } from "node:http";

export type Answer = { status: number; text: string };
type Asking = {
  path: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
  /** Says that so much will follow, and sends none of it: an answer that comes was not waiting for it. */
  promisedBytes?: number;
};

const ANSWER_MS_MAX = 60_000;

/** One request on a connection of its own. Nothing is resent or mended on the way, as a browser would. */
export function ask(url: string, { path, method = "GET", headers = {}, body, promisedBytes }: Asking): Promise<Answer> {
  const { hostname, port, host } = new URL(url);
  const length = promisedBytes ?? Buffer.byteLength(body ?? "");
  return new Promise((resolve, reject) => {
    const asking = request({
      hostname,
      port,
      path,
      method,
      agent: false,
      timeout: ANSWER_MS_MAX,
      headers: { host, ...(method === "POST" ? { "content-length": String(length) } : {}), ...headers },
    });
    asking.once("error", reject);
    asking.once("timeout", () => asking.destroy(new Error(`${path} was not answered`)));
    asking.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        asking.destroy();
      });
    });
    if (promisedBytes === undefined) asking.end(body);
    else asking.flushHeaders();
  });
}

const JSON_TYPE = { "content-type": "application/json" };
const SIGN_IN = "/api/auth/sign-in/email";
const JOIN = "/api/trpc/person.join";
const NUL = /U\+0000.*Take it out/;
const UNREADABLE = /address cannot be read.*%25/;

/** For whoever asks, signed in or not. `origin` is the console's own. */
export function badInput(origin: string): [what: string, asking: Asking, status: number, sentence: RegExp][] {
  const post = (path: string, body: string, type = JSON_TYPE["content-type"]): Asking => ({
    path,
    method: "POST",
    headers: { "content-type": type, origin },
    body,
  });
  const huge = (path: string): Asking => ({
    path,
    method: "POST",
    headers: { ...JSON_TYPE, origin },
    promisedBytes: 2_000_000,
  });
  const addresses = ["/api/trpc/", "/api/export/", "/api/rollout/", "/packages/", "/workstations/"];
  return [
    ["NUL in an address", post(SIGN_IN, '{"email":"a\\u0000@example.org","password":"x"}'), 400, NUL],
    ["NUL in a password", post(SIGN_IN, '{"email":"a@example.org","password":"\\u0000"}'), 400, NUL],
    ["sign-in without JSON", post(SIGN_IN, "{bad"), 400, /JSON/],
    ["sign-in with a list", post(SIGN_IN, "[]"), 400, /expected object/],
    ["sign-in as plain text", post(SIGN_IN, "{}", "text/plain"), 415, /application\/json/],
    [
      "sign-in from elsewhere",
      { ...post(SIGN_IN, "{}"), headers: { ...JSON_TYPE, origin: "http://evil.example" } },
      403,
      /page of this console/,
    ],
    ["sign-up", post("/api/auth/sign-up/email", "{}"), 404, /nothing here/],
    ["a huge sign-in", huge(SIGN_IN), 413, /At most 1024 KiB/],
    ["a huge mutation", huge(JOIN), 413, /At most 1024 KiB/],
    ["a mutation without JSON", post(JOIN, "{bad"), 400, /is no JSON/],
    ["a mutation that breaks off", post(JOIN, '{"code":"'), 400, /is no JSON/],
    ["a mutation that is no text", post(JOIN, "\u0000{"), 400, /is no JSON/],
    ["NUL in a mutation", post(JOIN, '"\\u0000"'), 400, NUL],
    ["a mutation as plain text", post(JOIN, "{}", "text/plain"), 415, /application\/json/],
    ["a mutation as a form", post(JOIN, "{}", "multipart/form-data"), 400, /FormData/],
    ["a mutation from nowhere", { ...post(JOIN, "{}"), headers: JSON_TYPE }, 403, /page of this console/],
    ["a query by nobody", { path: "/api/trpc/policy.groups" }, 401, /[Ss]ign/],
    ["a query without JSON", { path: "/api/trpc/person.invite?input=%7Bbad" }, 400, /is no JSON/],
    ["a query with a lone %", { path: "/api/trpc/person.invite?input=%25zz" }, 400, /is no JSON/],
    ["NUL in a query", { path: "/api/trpc/person.invite?input=%22%5Cu0000%22" }, 400, NUL],
    [
      "a thousand queries in one",
      { path: `/api/trpc/${Array(1_000).fill("person.invite").join(",")}?batch=1&input=%7B%7D` },
      400,
      /[Bb]atch.*(?:limit|size|exceed)/,
    ],
    ["a procedure called %zz", { path: "/api/trpc/%25zz" }, 404, /No procedure/],
    ["a procedure called NUL", { path: "/api/trpc/%00" }, 404, /No procedure/],
    ["a file called NUL", { path: "/packages/%00" }, 404, /no such file/],
    ["an export called NUL", { path: "/api/export/%00" }, 404, /U\+0000/],
    ["an export by nobody", { path: "/api/export/%25zz" }, 401, /needs an API token/],
    ...addresses.flatMap(
      (address): ReturnType<typeof badInput> => [
        [`${address} and a lone %`, { path: `${address}%zz` }, 400, UNREADABLE],
        [`${address} and no UTF-8`, { path: `${address}%ff` }, 400, UNREADABLE],
      ],
    ),
  ];
}
