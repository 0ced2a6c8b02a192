/** What a person types or pastes → what is to be denied, or why it is nothing of the kind. Pure. */
import { issueWords } from "../base/issue.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { Denied } from "./overlay.ts";

const TEXT_CHARS_MAX = 1024;
const FAR = /^(\S+?)(?:\s+(tcp|udp))?(?:\s+port\s+(\d{1,5}))?$/i;
/** `[2001:db8::1]:443`, `192.0.2.7:443`, `bad.example:443`: an address of version 6 has more than one colon. */
const WEB = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)/i;
/** The shortest row of hex digits that is rather a hash with some missing than the name of a host: no dot is in it. */
const HEX_DIGITS_MIN = 24;
const WITH_PORT = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i;

/** `a sha256`, `block id 0951:1666 …` or `0951:1666`, `192.0.2.0/24`, `bad.example tcp port 443`, `192.0.2.7:443`. */
export function readDenied(untrusted: string): Result<Denied> {
  const text = untrusted.trim();
  if (text === "") return fail("Nothing is named: a sha256, a device rule, an address or a name.");
  if (text.length > TEXT_CHARS_MAX) return fail(`At most ${TEXT_CHARS_MAX} characters.`);
  const bare = text.replace(/^(?:md5|sha-?1|sha-?256)[:=\s]\s*/i, "");
  if (/^[0-9a-f]{64}$/i.test(bare)) return parsed({ kind: "file", sha256: bare.toLowerCase() });
  if (/^[0-9a-f]{32}$|^[0-9a-f]{40}$/i.test(bare))
    return fail("That is an md5 or a sha1. Files are denied by sha256: look the hash up under USB to find its sha256.");
  if (/^[0-9a-f]+$/i.test(bare) && (bare !== text || bare.length >= HEX_DIGITS_MIN))
    return fail(
      `That has ${bare.length} hex digits, and a sha256 has 64: a part of it is missing, or more was pasted.`,
    );
  const [, host] = WEB.exec(text) ?? [];
  if (host) return fail(`That is the address of a page. What can be blocked is its host, whatever the page: ${host}`);
  if (/^(?:block|allow|reject|match|device)(?:\s|$)/.test(text)) return parsed({ kind: "device", rule: text });
  if (/^[0-9a-f]{4}:(?:[0-9a-f]{4}|\*)$/i.test(text)) return parsed({ kind: "device", rule: `block id ${text}` });
  const [, far, protocol, port] = FAR.exec(text) ?? [];
  if (far === undefined)
    return fail(`"${text.slice(0, 80)}" is no sha256, no rule that begins with block, and no address or name.`);
  const [, six, other, joined] = WITH_PORT.exec(far) ?? [];
  const named = six ?? other ?? far;
  const end = port ?? joined;
  const isAddress = /^[0-9.]+(?:\/\d+)?$|^[0-9a-f:.]*:[0-9a-f:.]*(?:\/\d+)?$/i.test(named);
  const read = parsed({
    kind: "address",
    ...(isAddress ? { to: named } : { host: named }),
    ...(protocol !== undefined && { protocol: protocol.toLowerCase() }),
    ...(end !== undefined && { port: Number(end) }),
  });
  return read.ok ? read : fail(`"${text.slice(0, 80)}": ${read.error}`);
}

function parsed(what: unknown): Result<Denied> {
  const read = Denied.safeParse(what);
  return read.success ? ok(read.data) : fail(read.error.issues.map(issueWords).join("; "));
}
