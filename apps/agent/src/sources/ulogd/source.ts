/** ulogd2's JSON file → net.drop. Which packets get there is the firewall's rule with `log group`. */

import { textAt } from "../eve/cause.ts";
import { type FilesDoor, follow } from "../follow/follow.ts";
import type { FollowedPiece } from "../follow/reading.ts";
import type { WhoseDevice } from "../guest.ts";
import { malformed } from "../malformed.ts";
import type { Outlet, Source } from "../source.ts";
import { decodeUlogd, ULOGD_LINE_BYTES_MAX } from "./decode.ts";

/** `whose`: the guest behind a device. Its drops pass a limit of their own before anything is made of them. */
export type UlogdFile = { path: string; dom0: FilesDoor; graceMs?: number; whose?: WhoseDevice };

export function ulogdFile({ path, dom0, graceMs, whose = () => undefined }: UlogdFile): Source {
  const guestOf = (bytes: Buffer) =>
    [textAt(bytes, '"oob.in":'), textAt(bytes, '"oob.out":')].flatMap((device) =>
      device ? (whose(device) ?? []) : [],
    )[0];
  const isHeldBack = ({ bytes, part }: FollowedPiece, { admits }: Outlet): boolean =>
    !part && admits?.({ guest: guestOf(bytes), via: "firewall", from: path, position: path }, bytes.length) === false;
  return {
    name: `ulogd/${path}`,
    run: (outlet, signal) =>
      follow(
        {
          path,
          kind: "ulogd",
          dom0,
          decode: (piece, now) => (isHeldBack(piece, outlet) ? [] : decodeUlogdPiece(piece, path, now)),
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
