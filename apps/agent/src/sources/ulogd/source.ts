/** ulogd2's JSON file → net.drop. Which packets get there is the firewall's rule with `log group`. */
import { type FilesDoor, follow } from "../follow/follow.ts";
import type { FollowedPiece } from "../follow/reading.ts";
import { malformed } from "../malformed.ts";
import type { Source } from "../source.ts";
import { decodeUlogd, ULOGD_LINE_BYTES_MAX } from "./decode.ts";

export function ulogdFile({ path, dom0, graceMs }: { path: string; dom0: FilesDoor; graceMs?: number }): Source {
  return {
    name: `ulogd/${path}`,
    run: (outlet, signal) =>
      follow(
        {
          path,
          kind: "ulogd",
          dom0,
          decode: (piece, now) => decodeUlogdPiece(piece, path, now),
          lineBytesMax: () => ULOGD_LINE_BYTES_MAX,
          ...(graceMs !== undefined && { graceMs }),
        },
        outlet,
        signal,
      ),
  };
}

export function decodeUlogdPiece({ bytes, part }: FollowedPiece, from: string, now: number) {
  if (!part) return decodeUlogd({ bytes, from }, now);
  const reason = `part ${part.number}${part.last ? ", the last," : ""} of a line longer than ${ULOGD_LINE_BYTES_MAX} bytes`;
  return [malformed({ source: "ulogd", from, reason, bytes }, now)];
}
