/** Every stick that asked to pass, and what came of it ↔ Postgres: asked, waiting for signatures, allowed until a moment,
 *  or over. An exception lasts a month at most, so what is older than two has ended. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import { handsOver } from "@sallyport/shared/usb/exception.ts";
import type { Pool } from "pg";
import { DIGEST, type Refused, type Revocation, refusals, revocations } from "./revoke.ts";

const LISTED_MAX = 500;
const DAYS = 62;

export type RequestState =
  | { state: "asked" }
  /** People have been asked to sign. */
  | { state: "signing"; until: string }
  | { state: "allowed" | "ended"; until: string; reason: string; at: string }
  /** Taken back before its end; or somebody said no, after whatever was allowed before. */
  | { state: "revoked"; reason: string; at: string }
  | { state: "refused"; reason: string; at: string; by: string };

export type RequestRow = {
  trail: number;
  /** Of the request's record; of the scan it followed, where that is known. */
  index: number;
  scan: number | null;
  /** When it was asked: the agent's claim. */
  time: string;
  workstation: { id: string; name: string };
  stick: string;
  files: number;
  why: string;
  /** What is handed over where it may pass, in words. */
  handsOver: string;
  /** Whole images that would be, together; nothing where it is a copy of the files. */
  images: { count: number; bytes: number } | null;
  what: RequestState;
};

type Given = { exception: string; notAfter: string; request: string | null; reason: string; at: string };
type Raw = {
  trail: number;
  index: string;
  time: Date;
  content: Buffer | null;
  workstation_id: string;
  name: string;
  exceptions: Given[] | null;
  signing: { manifest: string; request: string | null; notAfter: string }[] | null;
};

/** The newest first; of one device's contents on one workstation only the newest request, since it asks nothing new. */
export async function listRequests(pool: Pool, now: Date): Promise<RequestRow[]> {
  const { rows } = await pool.query<Raw>(
    `WITH asked AS (
       SELECT r.trail, r.index, r.time, r.content, t.workstation_id
         FROM record r JOIN trail t ON t.num = r.trail
        WHERE r.kind = 'usb.request' AND r.received > $1::timestamptz - make_interval(days => ${DAYS})
        ORDER BY r.received DESC LIMIT ${LISTED_MAX})
     SELECT a.*, w.name,
            (SELECT json_agg(json_build_object(
                      'exception', ${DIGEST("e.statement")},
                      'notAfter', (e.statement ->> 'text')::jsonb ->> 'notAfter',
                      'request', (e.statement ->> 'carried')::jsonb ->> 'request',
                      'reason', (e.statement ->> 'carried')::jsonb ->> 'reason', 'at', e.created_at))
               FROM workstation_statement e
              WHERE e.workstation_id = a.workstation_id AND e.type = 'exception'
                AND e.created_at > $1::timestamptz - make_interval(days => ${DAYS})) AS exceptions,
            (SELECT json_agg(json_build_object('manifest', p.act ->> 'manifest', 'request', p.act ->> 'request',
                                              'notAfter', p.act ->> 'notAfter'))
               FROM proposal p
              WHERE p.kind = 'exception' AND p.state = 'waiting' AND p.act ->> 'workstation' = a.workstation_id::text
            ) AS signing
       FROM asked a JOIN workstation w ON w.id = a.workstation_id
      ORDER BY a.time DESC`,
    [now],
  );
  const gone = await revocations(pool, [...new Set(rows.map(({ workstation_id }) => workstation_id))]);
  const no = await refusals(pool, DAYS);
  const seen = new Set<string>();
  const asked = rows.flatMap(({ content, exceptions, signing, ...row }): Omit<RequestRow, "scan">[] => {
    const said = content && readContent(content);
    const body = said?.ok ? UsbRequestBody.safeParse(said.value.body) : undefined;
    const key = `${row.workstation_id} ${body?.data?.request}`;
    if (!body?.success || seen.has(key)) return [];
    seen.add(key);
    const { stick, files, reason, request, manifest, images } = body.data;
    const given = (exceptions ?? []).filter((each) => each.request === request);
    // one from before requests were kept with it names the manifest alone, and that it hands over no image
    const answers = (each: { manifest: string; request: string | null }) =>
      each.request === null ? !images && each.manifest === manifest : each.request === request;
    const waiting = (signing ?? []).find(answers);
    return [
      {
        ...{ trail: row.trail, index: Number(row.index), time: row.time.toISOString() },
        ...{ workstation: { id: row.workstation_id, name: row.name }, stick, files, why: reason },
        handsOver: handsOver({ images }),
        images: images ? { count: images.length, bytes: images.reduce((sum, { bytes }) => sum + bytes, 0) } : null,
        what: stateOf(
          given.map((each) => ({
            ...each,
            revoked: gone.find((one) => one.workstation === row.workstation_id && one.exception === each.exception),
          })),
          waiting,
          no.find((one) => one.workstation === row.workstation_id && one.request === request),
          now,
        ),
      },
    ];
  });
  const scans = await scansOf(pool, asked);
  return asked.map((row, at) => ({ ...row, scan: scans[at] ?? null }));
}

/** A scan's own parts, and its step and decision, stand between it and its request. */
const REACH_RECORDS = 2_048;

/** The scan that each request followed; a stick of several units names its scans after itself. */
async function scansOf(pool: Pool, asked: readonly Omit<RequestRow, "scan">[]): Promise<(number | null)[]> {
  const { rows } = await pool.query<{ scan: string | null }>(
    `SELECT s.index AS scan
       FROM unnest($1::int[], $2::bigint[], $3::text[]) WITH ORDINALITY AS a (trail, index, stick, place)
       LEFT JOIN LATERAL (
         SELECT index FROM scan
          WHERE trail = a.trail AND index BETWEEN a.index - ${REACH_RECORDS} AND a.index - 1
            AND (source = a.stick OR starts_with(source, a.stick || ' unit '))
          ORDER BY index DESC LIMIT 1) s ON true
      ORDER BY a.place`,
    [asked.map(({ trail }) => trail), asked.map(({ index }) => index), asked.map(({ stick }) => stick)],
  );
  return rows.map(({ scan }) => (scan === null ? null : Number(scan)));
}

/** Of the exceptions that nobody took back the one that lasts longest counts; then what was answered last. */
function stateOf(
  given: readonly (Given & { revoked?: Revocation | undefined })[],
  signing: { notAfter: string } | undefined,
  refused: Refused | undefined,
  now: Date,
): RequestState {
  const [last] = given
    .filter(({ revoked }) => !revoked)
    .sort((a, b) => Date.parse(b.notAfter) - Date.parse(a.notAfter));
  if (last && Date.parse(last.notAfter) > now.getTime())
    return { state: "allowed", until: last.notAfter, reason: last.reason, at: last.at };
  if (signing) return { state: "signing", until: signing.notAfter };
  const newest = Math.max(0, ...given.map(({ at }) => Date.parse(at)));
  if (refused && Date.parse(refused.at) > newest)
    return { state: "refused", reason: refused.reason, at: refused.at, by: refused.by };
  const [taken] = given.flatMap(({ revoked }) => revoked ?? []).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  if (taken && (!last || Date.parse(taken.at) > Date.parse(last.notAfter)))
    return { state: "revoked", reason: taken.reason, at: taken.at };
  return last ? { state: "ended", until: last.notAfter, reason: last.reason, at: last.at } : { state: "asked" };
}
