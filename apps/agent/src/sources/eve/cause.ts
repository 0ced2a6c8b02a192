/** Who caused a line of Suricata's or ulogd2's JSON, found without reading it: a flood must cost little. What a guest wrote
 *  stands in it with its quotes escaped, so that it cannot play one of these members. */

export type Cause = { source: string; destination?: string; signature?: number };

/** In the order in which both write them; the first that is found is the packet's. */
export function causeOf(line: Buffer): Cause | undefined {
  const source = textAt(line, '"src_ip":');
  if (source === undefined) return undefined;
  const destination = textAt(line, '"dest_ip":');
  const signature = line.includes('"event_type":"alert"') ? numberAt(line, '"signature_id":') : undefined;
  return {
    source,
    ...(destination !== undefined && { destination }),
    ...(signature !== undefined && { signature }),
  };
}

const VALUE_BYTES_MAX = 64;

/** Text without escapes, as an address or a device's name is. */
export function textAt(line: Buffer, member: string): string | undefined {
  return /^ ?"([^"\\]*)"/.exec(after(line, member))?.[1];
}
function numberAt(line: Buffer, member: string): number | undefined {
  const digits = /^ ?(\d{1,15})\b/.exec(after(line, member))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
function after(line: Buffer, member: string): string {
  const at = line.indexOf(member);
  return at < 0 ? "" : line.toString("latin1", at + member.length, at + member.length + VALUE_BYTES_MAX);
}
