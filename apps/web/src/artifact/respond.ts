/** /api/artifact … → artifacts for the command line and pipelines, by an API token, and for the page's upload, by its
 *  session: the body is the file, streamed into pieces, never a form. */
import { ARTIFACT_BYTES_MAX, ArtifactKind } from "@sallyport/shared/artifact/artifact.ts";
import type { Pool } from "pg";
import type { Slots } from "../export/slots.ts";
import { type RecordConsole, withRecord } from "../person/act.ts";
import { type Actor, originOf } from "../person/actor.ts";
import { openToken, refuseRole } from "../person/api-token.ts";
import type { Role } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, refuse } from "../trpc/plain.ts";
import {
  addPiece,
  beginArtifact,
  dropArtifact,
  finishArtifact,
  getArtifact,
  listArtifacts,
  PIECE_BYTES,
  removeArtifact,
} from "./store.ts";
import { checkName, takeArtifact } from "./take.ts";

export type Parts = { pool: Pool; recordConsole: RecordConsole; artifactSlots: Slots };
type By = { id: string; email: string; role: Role; session?: string; token?: string };

/** `path` is what follows /api/artifact; `signedIn` is asked where there is no token. */
export const respondArtifact = answered(
  async (parts: Parts, signedIn: () => Promise<Actor | undefined>, request: Request, path: readonly string[]) => {
    const isRead = request.method === "GET";
    const opened = await open(parts.pool, signedIn, request, isRead);
    if (!opened.ok) return refuse(opened.status, opened.reason);
    const { by } = opened;
    const act = isRead ? "entries" : "policy";
    const refused = refuseRole(by.role, act);
    if (refused) return refused;
    if (isRead && path.length === 0) return Response.json(await listArtifacts(parts.pool));
    if (request.method === "POST" && path.length === 0) return add(parts, by, request);
    if (request.method === "DELETE" && path.length === 1) return remove(parts, by, request, path[0]!);
    return refuse(404, "There is nothing at this address.");
  },
);

type Opened = { ok: true; by: By } | { ok: false; status: number; reason: string };

async function open(
  pool: Pool,
  signedIn: () => Promise<Actor | undefined>,
  request: Request,
  isRead: boolean,
): Promise<Opened> {
  const header = request.headers.get("authorization");
  if (header !== null) {
    const token = await openToken(pool, header, isRead ? "artifact:read" : "artifact:write");
    return token.ok ? { ok: true, by: token.bearer } : token;
  }
  const actor = await signedIn();
  return actor
    ? { ok: true, by: actor }
    : { ok: false, status: 401, reason: "You are signed out. Sign in and try again." };
}

async function add(parts: Parts, by: By, request: Request): Promise<Response> {
  const asked = new URL(request.url).searchParams;
  const kind = ArtifactKind.safeParse(asked.get("kind")).data;
  const name = asked.get("name") ?? "";
  if (!kind) return refuse(400, `kind is one of ${ArtifactKind.options.join(", ")}.`);
  const foreign = refuseForeign(request, ARTIFACT_BYTES_MAX[kind]);
  if (foreign) return foreign;
  checkName(kind, name);
  const release = parts.artifactSlots.take();
  if (!release) return refuse(503, "Others are sending artifacts to this console. Try again in a minute.");
  try {
    if (!request.body) return refuse(400, "The request carries no file.");
    return await take(parts, by, request, { kind, name, body: request.body });
  } finally {
    release();
  }
}

type Asked = { kind: ArtifactKind; name: string; body: ReadableStream<Uint8Array> };

async function take(parts: Parts, by: By, request: Request, { kind, name, body }: Asked): Promise<Response> {
  const { pool, recordConsole } = parts;
  // rules may come packed: then they are larger than what is sent
  const bytesMax = kind === "suricata-rules" ? ARTIFACT_BYTES_MAX[kind] : Number(request.headers.get("content-length"));
  const id = await beginArtifact(pool, { kind, name, by: by.id, bytesMax });
  try {
    const taken = await takeArtifact({
      ...{ kind, name, pieceBytes: PIECE_BYTES },
      chunks: body as unknown as AsyncIterable<Uint8Array>,
      keep: (position, piece) => addPiece(pool, id, position, piece),
    });
    if (await getArtifact(pool, taken.sha256)) {
      await dropArtifact(pool, id);
      return Response.json({ ...(await getArtifact(pool, taken.sha256)), known: true });
    }
    await withRecord(pool, recordConsole, by, originOf(request.headers), async (tx) => {
      if (!(await finishArtifact(tx, id, taken)))
        throw new Refusal("CONFLICT", "Somebody sent the same bytes at the same time. They are there.");
      const text = `added the artifact ${name} (${kind}, ${taken.bytes} bytes, sha256 ${taken.sha256})`;
      const after = plain({ kind, name, ...taken });
      const act = { kind: "person.artifact-added", text, subject: `artifact/${taken.sha256}`, after } as const;
      return { act, value: null };
    });
    return Response.json({ ...(await getArtifact(pool, taken.sha256)), known: false });
  } catch (error) {
    await dropArtifact(pool, id).catch(() => undefined); // the first error is the one to tell; what is left goes later
    throw error;
  }
}

/** As it stands in a record: what is absent is absent. */
const plain = (value: object) => JSON.parse(JSON.stringify(value)) as { [key: string]: string };

async function remove(parts: Parts, by: By, request: Request, sha256: string): Promise<Response> {
  const foreign = refuseForeign(request);
  // a deletion has no body
  if (foreign && foreign.status !== 411) return foreign;
  if (!/^[0-9a-f]{64}$/.test(sha256)) return refuse(404, "There is no such artifact.");
  return Response.json(await withRemoval(parts, by, originOf(request.headers), sha256));
}

export const withRemoval = (
  { pool, recordConsole }: Omit<Parts, "artifactSlots">,
  by: By,
  origin: ReturnType<typeof originOf>,
  sha256: string,
) =>
  withRecord(pool, recordConsole, by, origin, async (tx) => {
    const { groups: _, ...row } = await removeArtifact(tx, sha256);
    const text = `removed the artifact ${row.name} (${row.kind}, sha256 ${sha256})`;
    const act = { kind: "person.artifact-removed", text, subject: `artifact/${sha256}`, before: plain(row) } as const;
    return { act, value: row };
  });
