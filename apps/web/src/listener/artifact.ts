/** GET /artifact/SHA256 → its bytes, from where a workstation's earlier fetch broke off. Only an enrolled workstation's
 *  certificate opens this; that the bytes are what a policy names, the workstation checks itself. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { type Answer, refuse } from "./answer.ts";

/** As the store cuts them. */
const PIECE_BYTES = 1024 * 1024;
/** Each holds a piece or two in memory, and asks the database as fast as its client reads. */
const STREAMS_MAX = 32;
/** A client that takes nothing for so long is gone. */
const IDLE_MS_MAX = 60_000;
const PATH = /^\/artifact\/([0-9a-f]{64})$/;

export const isArtifact = (path: string): boolean => path.startsWith("/artifact/");

type Deps = { pool: Pool; log: Logger };
type Sent = "sent" | Answer;

/** Answers by itself, or says what is to be answered. */
export function artifactSender({
  pool,
  log,
}: Deps): (request: IncomingMessage, response: ServerResponse) => Promise<Sent> {
  let streams = 0;
  return async (request, response) => {
    const workstation = await workstationOf(pool, request.socket as TLSSocket);
    if (!workstation)
      return refuse(403, "certificate", "Artifacts are for enrolled workstations: this needs a certificate of one.");
    const sha256 = PATH.exec((request.url ?? "").split("?")[0]!)?.[1];
    const { rows } = await pool.query<{ id: string; bytes: string }>(
      "SELECT id, bytes FROM artifact WHERE sha256 = $1",
      [sha256 ?? ""],
    );
    const found = rows[0];
    if (!found)
      return refuse(
        404,
        "absent",
        `This console has no artifact ${sha256 ?? "of this name"}: add it, or publish a policy that names another.`,
      );
    const bytes = Number(found.bytes);
    const from = startOf(request.headers.range);
    if (from === undefined || from > bytes)
      return refuse(416, "range", `It has ${bytes} bytes; the range reads bytes=N-.`);
    if (streams >= STREAMS_MAX)
      return refuse(503, "busy", `${STREAMS_MAX} workstations fetch artifacts at this moment. Try again in a minute.`);
    streams += 1;
    try {
      response.writeHead(from > 0 ? 206 : 200, {
        "content-type": "application/octet-stream",
        "content-length": String(bytes - from),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        ...(from > 0 && { "content-range": `bytes ${from}-${Math.max(from, bytes - 1)}/${bytes}` }),
      });
      await send(pool, found.id, from, bytes, response);
      log.info({ workstation, sha256, from, bytes }, "artifact.sent");
    } catch (error) {
      // what was announced cannot be taken back: the client sees that it ends early, and comes again
      log.warn({ workstation, sha256, error: (error as Error).message }, "artifact.broken-off");
      response.destroy();
    } finally {
      streams -= 1;
    }
    return "sent";
  };
}

async function send(pool: Pool, id: string, from: number, bytes: number, response: ServerResponse): Promise<void> {
  for (let at = from; at < bytes; ) {
    const position = Math.floor(at / PIECE_BYTES);
    const { rows } = await pool.query<{ bytes: Buffer }>(
      "SELECT bytes FROM artifact_piece WHERE artifact = $1 AND position = $2",
      [id, position],
    );
    const piece = rows[0]?.bytes.subarray(at - position * PIECE_BYTES);
    if (!piece || piece.length === 0) throw new Error(`piece ${position} is missing: the artifact was removed`);
    if (response.destroyed) throw new Error("the workstation hung up");
    if (!response.write(piece)) await drained(response);
    at += piece.length;
  }
  response.end();
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (act: () => void) => () => {
      clearTimeout(timer);
      response.off("drain", ready);
      response.off("close", gone);
      act();
    };
    const ready = end(resolve);
    const gone = end(() => reject(new Error("the workstation hung up")));
    const timer = setTimeout(
      end(() => reject(new Error(`the workstation took nothing for ${IDLE_MS_MAX / 1000} s`))),
      IDLE_MS_MAX,
    );
    response.once("drain", ready);
    response.once("close", gone);
  });

/** Undefined: no range that this answers. */
function startOf(range: string | undefined): number | undefined {
  if (range === undefined) return 0;
  const from = /^bytes=(\d{1,15})-$/.exec(range)?.[1];
  return from === undefined ? undefined : Number(from);
}

/** By the certificate that the connection was made with: of our CA, still valid, not revoked, its workstation enrolled. */
async function workstationOf(pool: Pool, socket: TLSSocket): Promise<string | undefined> {
  if (!socket.authorized) return undefined;
  const { subject, serialNumber } = socket.getPeerCertificate();
  const name = subject?.CN;
  if (typeof name !== "string" || !/^[0-9a-f-]{36}$/.test(name) || !serialNumber) return undefined;
  const { rowCount } = await pool.query(
    `SELECT 1 FROM certificate c JOIN workstation w ON w.id = c.workstation_id
      WHERE w.id = $1 AND w.state = 'enrolled' AND c.serial = $2 AND c.revoked_at IS NULL AND c.not_after > now()`,
    [name, serialNumber],
  );
  return rowCount === 1 ? name : undefined;
}
