/** Suricata's EVE file → ids.alert, ids.event. The file is the durable input: read exactly once over any crash. */
import { type FilesDoor, follow } from "../follow/follow.ts";
import type { FollowedPiece } from "../follow/reading.ts";
import { malformed } from "../malformed.ts";
import type { Source } from "../source.ts";
import { decodeEve, EVE_LINE_BYTES_MAX } from "./decode.ts";

export function eveFile({ path, dom0, graceMs }: { path: string; dom0: FilesDoor; graceMs?: number }): Source {
  return {
    name: `eve/${path}`,
    run: (outlet, signal) =>
      follow(
        {
          path,
          kind: "eve",
          dom0,
          decode: (piece, now) => decodeEvePiece(piece, path, now),
          lineBytesMax: () => EVE_LINE_BYTES_MAX,
          ...(graceMs !== undefined && { graceMs }),
        },
        outlet,
        signal,
      ),
  };
}

/** A part of a line that is too long for a record is kept as bytes. */
export function decodeEvePiece({ bytes, part }: FollowedPiece, from: string, now: number) {
  if (!part) return decodeEve({ bytes, from }, now);
  const reason = `part ${part.number}${part.last ? ", the last," : ""} of a line longer than ${EVE_LINE_BYTES_MAX} bytes`;
  return [malformed({ source: "eve", from, reason, bytes }, now)];
}
