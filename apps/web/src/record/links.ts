/** What ties one record to another: values that both carry. Pure: the store looks for the bytes, this says whether they
 *  mean the same. Bodies of kinds that are still growing are read loosely; what cannot be read ties nothing. */

export const TIES = {
  stick: "same stick",
  image: "same image",
  file: "same file",
  flow: "same flow",
  connection: "same connection",
  process: "same process",
  line: "same line, in parts",
  session: "same session",
  policy: "same policy revision",
  command: "same command",
  subject: "same subject",
  trail: "same trail",
} as const;
export type Tie = keyof typeof TIES;

/** `needles`: JSON fragments that the content of every tied record holds, as canonical JSON spells them. */
export type Link = { tie: Tie; value: string; needles: string[] };

const LINKS_MAX = 12;
const VALUE_CHARS_MAX = 512;

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value.length <= VALUE_CHARS_MAX ? value : undefined;
const quoted = (value: string): string => JSON.stringify(value);

/** The ties of one record, strongest first. */
export function linksOf(kind: string, body: unknown): Link[] {
  const links: Link[] = [];
  const add = (tie: Tie, untrusted: unknown, needles?: (value: string) => string[]) => {
    const value = text(untrusted);
    if (value === undefined || links.some((each) => each.tie === tie && each.value === value)) return;
    links.push({ tie, value, needles: needles ? needles(value) : [quoted(value)] });
  };
  const at = fields(body);
  const [noun] = kind.split(".");
  switch (noun) {
    case "usb":
      usbLinks(at, add);
      break;
    case "ids":
    case "net":
      add("flow", at.flow);
      connection(at, add);
      break;
    case "guest":
      add("line", fields(at.part).of);
      // a number is one guest's own: by which way the line came is part of whose it is
      if (text(at.app) && text(at.process) && text(at.from))
        add("process", `${at.app}[${at.process}] ${at.from}`, () => [quoted(`${at.app}`), quoted(`${at.process}`)]);
      break;
    case "trail":
      add("session", at.session);
      add("trail", fields(at.previous).trail);
      break;
    case "policy":
      add("policy", at.digest);
      break;
    case "command":
      add("command", at.digest);
      break;
    case "person":
    case "console":
      add("policy", fields(at.after).digest);
      add("subject", at.subject);
      add("session", at.session);
      break;
    default:
      break;
  }
  return links.slice(0, LINKS_MAX);
}

type Add = (tie: Tie, untrusted: unknown, needles?: (value: string) => string[]) => void;

/** A stick is told by what dom0 gave it, else by the hash of all its bytes, else by the name it was dropped under. */
function usbLinks(at: Fields, add: Add): void {
  const device = fields(at.device);
  for (const id of [at.stick, fields(at.stick).id, at.device, device.id, device.hash, at.source]) add("stick", id);
  for (const sha of [fields(at.image).sha256, at.imageSha256, fields(at.parts).root]) add("image", sha);
}

/** Both directions of a connection are one. */
function connection(at: Fields, add: Add): void {
  const [from, to] = [text(at.source), text(at.destination)];
  if (!from || !to) return;
  const ends = [`${from}:${at.sourcePort ?? ""}`, `${to}:${at.destinationPort ?? ""}`].sort();
  add("connection", `${at.protocol ?? ""} ${ends.join(" ")}`.trim().toLowerCase(), () => [quoted(from), quoted(to)]);
}

/** Why `other` belongs to a record with these links, or nothing. */
export function tiesOf(links: readonly Link[], other: { kind: string; body: unknown }): Tie[] {
  const theirs = linksOf(other.kind, other.body);
  return links
    .filter(({ tie, value }) => theirs.some((each) => each.tie === tie && each.value === value))
    .map(({ tie }) => tie);
}
