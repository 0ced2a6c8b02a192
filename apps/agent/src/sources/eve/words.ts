/** An EVE event in one line for people: what it was, then who with whom. */
import { type Endpoint, endpointWords } from "./endpoint.ts";
import type { JsonObject } from "./json.ts";

export function eventWords(event: JsonObject, type: string, end: Endpoint): string {
  const what = (Object.hasOwn(DESCRIBE, type) && DESCRIBE[type]?.(part(event, type), event)) || type;
  const who = endpointWords(end);
  return who ? `${what} ${who}` : what;
}

const words = (...parts: unknown[]) =>
  parts.filter((each) => typeof each === "string" || typeof each === "number").join(" ");
const part = (event: JsonObject, name: string): JsonObject => objectOf(event[name]);

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

const counted = (count: unknown, what: string) => (typeof count === "number" ? `${count} ${what}` : undefined);

/** Per type, from its own part of the event. A type that is not here is named and nothing more. */
const DESCRIBE: Record<string, (own: JsonObject, event: JsonObject) => string> = {
  alert: (own) => words(own.action === "blocked" ? "blocked:" : undefined, own.signature),
  anomaly: (own) => words("anomaly", own.type, own.event ?? own.code),
  dns: (own) => dnsWords(own),
  drop: (own, event) => words("drop", objectOf(event.alert).signature ?? own.reason),
  fileinfo: (own) => words("file", own.filename, counted(own.size, "bytes"), own.sha256 ?? own.md5),
  flow: (own) => words("flow", own.state, counted(sum(own.bytes_toserver, own.bytes_toclient), "bytes"), own.reason),
  http: (own) => words("http", own.http_method, `${stringOf(own.hostname)}${stringOf(own.url)}`, own.status),
  netflow: (own) => words("netflow", counted(own.bytes, "bytes")),
  smtp: (own) => words("smtp", own.mail_from, own.helo),
  ssh: (own) => words("ssh", objectOf(own.client).software_version, "to", objectOf(own.server).software_version),
  stats: (own) =>
    words("stats", counted(own.uptime, "s up"), counted(objectOf(own.capture).kernel_drops, "packets dropped")),
  tls: (own) => words("tls", own.sni ?? own.subject, own.version),
};

function dnsWords(own: JsonObject): string {
  // Suricata 8 lists questions; 7 and before name the one
  const query = Array.isArray(own.queries) ? objectOf(own.queries[0]) : own;
  const answers = Array.isArray(own.answers) ? own.answers.length : undefined;
  return words("dns", own.type, query.rrtype, query.rrname, own.rcode, counted(answers, "answers"));
}

const stringOf = (value: unknown) => (typeof value === "string" ? value : "");
const sum = (a: unknown, b: unknown) => (typeof a === "number" && typeof b === "number" ? a + b : undefined);
