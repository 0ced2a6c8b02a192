/** Suricata's EVE file → ids.alert, ids.event. The file is the durable input: read exactly once over any crash. */
import { type FilesDoor, follow } from "../follow/follow.ts";
import type { FollowedPiece } from "../follow/reading.ts";
import type { WhoseAddress } from "../guest.ts";
import { malformed } from "../malformed.ts";
import type { Admits, Source } from "../source.ts";
import { causeOf } from "./cause.ts";
import { decodeEve, EVE_LINE_BYTES_MAX } from "./decode.ts";

/** `whose`: the guest that has an address. A guest's events pass a limit of its own before anything is made of them. */
export type EveFile = { path: string; dom0: FilesDoor; graceMs?: number; whose?: WhoseAddress };

export function eveFile({ path, dom0, graceMs, whose = () => undefined }: EveFile): Source {
  return {
    name: `eve/${path}`,
    run: (outlet, signal) =>
      follow(
        {
          path,
          kind: "eve",
          dom0,
          decode: (piece, now) =>
            isHeldBack(piece, path, whose, outlet.admits) ? [] : decodeEvePiece(piece, path, now),
          lineBytesMax: () => EVE_LINE_BYTES_MAX,
          ...(graceMs !== undefined && { graceMs }),
        },
        outlet,
        signal,
      ),
  };
}

/** Parts of a long line are read all or none, and what no packet caused always is. */
function isHeldBack({ bytes, part }: FollowedPiece, from: string, whose: WhoseAddress, admits?: Admits): boolean {
  const cause = part || !admits ? undefined : causeOf(bytes);
  if (!cause) return false;
  const { source, destination, signature } = cause;
  const guest = whose(source) ?? (destination === undefined ? undefined : whose(destination));
  return !admits!(
    { guest, via: "detector", from, position: from, ...(signature !== undefined && { signature }) },
    bytes.length,
  );
}

/** A part of a line that is too long for a record is kept as bytes. */
export function decodeEvePiece({ bytes, part }: FollowedPiece, from: string, now: number) {
  if (!part) return decodeEve({ bytes, from }, now);
  const reason = `part ${part.number}${part.last ? ", the last," : ""} of a line longer than ${EVE_LINE_BYTES_MAX} bytes`;
  return [malformed({ source: "eve", from, reason, bytes }, now)];
}
