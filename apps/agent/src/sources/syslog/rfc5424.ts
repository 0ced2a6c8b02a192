/** RFC 5424: the structured syslog line. Its fields are claims of the sender. */
import type { Claims } from "./claims.ts";
import { readPriority } from "./priority.ts";

/** The RFC allows 255, 48, 128 and 32; longer names are met in the field, so these are only bounds. */
const HEADER =
  /^1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (\S{1,255}) (\S{1,128}) (\S{1,128}) (\S{1,128})(?: |$)/;
const NAME_CHARS_MAX = 64;
const ELEMENTS_MAX = 64;
const PARAMETERS_MAX = 256;

/** Nothing where the line is not of this form. With a header that holds and structured data that does not, the
 *  message is all that follows the header. */
export function parseRfc5424(line: string): Claims | undefined {
  const priority = readPriority(line);
  if (!priority) return undefined;
  const rest = line.slice(priority.length);
  const header = HEADER.exec(rest);
  if (!header) return undefined;
  const [whole, time, host, app, process, messageId] = header;
  const after = rest.slice(whole.length);
  const structured = readStructured(after);
  const claims: Claims = {
    format: "rfc5424",
    facility: priority.facility,
    level: priority.level,
    message: structured ? withoutMark(structured.rest) : after,
  };
  if (time !== "-") claims.claimedTime = time;
  if (host !== "-") claims.claimedHost = host;
  if (app !== "-") claims.app = app;
  if (process !== "-") claims.process = process;
  if (messageId !== "-") claims.messageId = messageId;
  if (structured?.elements) claims.structured = structured.elements;
  return claims;
}

/** A byte order mark only says that what follows is UTF-8. */
const withoutMark = (message: string) => (message.charCodeAt(0) === 0xfeff ? message.slice(1) : message);

type Elements = Record<string, Record<string, string>>;

function readStructured(text: string): { elements?: Elements; rest: string } | undefined {
  if (text === "") return { rest: "" };
  if (text[0] === "-" && (text.length === 1 || text[1] === " ")) return { rest: text.slice(2) };
  const elements = new Map<string, Map<string, string>>();
  let at = 0;
  while (text[at] === "[") {
    if (elements.size >= ELEMENTS_MAX) return undefined;
    const element = readElement(text, at);
    if (!element || elements.has(element.id)) return undefined;
    elements.set(element.id, element.parameters);
    at = element.end;
  }
  if (elements.size === 0 || (at < text.length && text[at] !== " ")) return undefined;
  const entries = [...elements].map(([id, parameters]) => [id, Object.fromEntries(parameters)] as const);
  return { elements: Object.fromEntries(entries), rest: text.slice(at + 1) };
}

type Element = { id: string; parameters: Map<string, string>; end: number };

/** `[id name="value" …]` from its bracket on. A name given twice (the RFC allows it for `ip`) is kept as
 *  `ip`, `ip#2`, `ip#3` …. */
function readElement(text: string, from: number): Element | undefined {
  const id = readName(text, from + 1);
  if (id === undefined) return undefined;
  const parameters = new Map<string, string>();
  let at = from + 1 + id.length;
  while (text[at] === " ") {
    const name = readName(text, at + 1);
    if (name === undefined || parameters.size >= PARAMETERS_MAX) return undefined;
    at += 1 + name.length;
    if (text[at] !== "=" || text[at + 1] !== '"') return undefined;
    const value = readValue(text, at + 2);
    if (!value) return undefined;
    let key = name;
    for (let nth = 2; parameters.has(key); nth++) key = `${name}#${nth}`;
    parameters.set(key, value.text);
    at = value.end;
  }
  return text[at] === "]" ? { id, parameters, end: at + 1 } : undefined;
}

function readName(text: string, from: number): string | undefined {
  let end = from;
  while (end < text.length && end - from <= NAME_CHARS_MAX && isNameChar(text.charCodeAt(end))) end++;
  return end > from && end - from <= NAME_CHARS_MAX ? text.slice(from, end) : undefined;
}

/** Printable ASCII without space, `=`, `]` and `"`. */
const isNameChar = (code: number) => code > 0x20 && code < 0x7f && code !== 0x3d && code !== 0x5d && code !== 0x22;

/** From behind the opening quote to behind the closing one. A backslash escapes `"`, `\` and `]`; before anything
 *  else it is itself. An unescaped `]` is forbidden, and ends the element. */
function readValue(text: string, from: number): { text: string; end: number } | undefined {
  let value = "";
  let kept = from;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '"') return { text: value + text.slice(kept, at), end: at + 1 };
    if (char === "]") return undefined;
    const next = text[at + 1];
    if (char === "\\" && (next === '"' || next === "\\" || next === "]")) {
      value += text.slice(kept, at) + next;
      kept = at + 2;
      at++;
    }
  }
  return undefined;
}
