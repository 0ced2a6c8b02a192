/** Every stick that asked to pass, and what came of it ↔ Postgres: asked, waiting for signatures, allowed until a moment,
 *  or over. An exception lasts a month at most, so what is older than two has ended. */
import { readContent } from "@sallyport/shared/record/content.ts";
import { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import { handsOver } from "@sallyport/shared/usb/exception.ts";
import type { Pool } from "pg";
import { type Place, pageOf, type RequestSort } from "./requests-sort.ts";
import { DIGEST, type Refused, type Revocation, refusals, revocations } from "./revoke.ts";

/** What is read of them; a list says where that is not all. */
const READ_MAX = 2_000;
const PAGE_ROWS_MAX = 200;
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
type Signing = { manifest: string; request: string | null; notAfter: string };
type Raw = { trail: number; index: string; time: Date; content: Buffer | null; workstation_id: string; name: string };

export type RequestPage = {
  rows: RequestRow[];
  next: Place | null;
  /** How many were read, where there may be older ones. */
  newestOf: number | null;
};
export type Asked = { sort?: RequestSort | undefined; after?: Place | undefined };

/** Of one device's contents on one workstation only the newest request, since it asks nothing new. */
export async function listRequests(
  pool: Pool,
  now: Date,
  { sort, after }: Asked = {},
  { page = PAGE_ROWS_MAX, read = READ_MAX } = {},
): Promise<RequestPage> {
  const { rows } = await pool.query<Raw>(
    `WITH asked AS (
       SELECT r.trail, r.index, r.time, r.content, t.workstation_id
         FROM record r JOIN trail t ON t.num = r.trail
        WHERE r.kind = 'usb.request' AND r.received > $1::timestamptz - make_interval(days => ${DAYS})
        ORDER BY r.received DESC, r.trail DESC, r.index DESC LIMIT $2)
     SELECT a.*, w.name FROM asked a JOIN workstation w ON w.id = a.workstation_id
      ORDER BY a.time DESC, a.trail DESC, a.index DESC`,
    [now, read],
  );
  const asked = await answered(pool, now, rows);
  const listed = pageOf(asked, sort, after, page);
  const scans = await scansOf(pool, listed.rows);
  return {
    rows: listed.rows.map((row, at) => ({ ...row, scan: scans[at] ?? null })),
    next: listed.next,
    newestOf: rows.length < read ? null : read,
  };
}

/** Each with what came of it. */
async function answered(pool: Pool, now: Date, rows: readonly Raw[]): Promise<Omit<RequestRow, "scan">[]> {
  const workstations = [...new Set(rows.map(({ workstation_id }) => workstation_id))];
  const exceptions = await exceptionsOf(pool, now, workstations);
  const signing = await signingOf(pool, workstations);
  const gone = await revocations(pool, workstations);
  const no = await refusals(pool, DAYS);
  const seen = new Set<string>();
  return rows.flatMap(({ content, ...row }): Omit<RequestRow, "scan">[] => {
    const said = content && readContent(content);
    const body = said?.ok ? UsbRequestBody.safeParse(said.value.body) : undefined;
    const key = `${row.workstation_id} ${body?.data?.request}`;
    if (!body?.success || seen.has(key)) return [];
    seen.add(key);
    const { stick, files, reason, request, manifest, images } = body.data;
    const given = (exceptions.get(row.workstation_id) ?? []).filter((each) => each.request === request);
    // one from before requests were kept with it names the manifest alone, and that it hands over no image
    const answers = (each: { manifest: string; request: string | null }) =>
      each.request === null ? !images && each.manifest === manifest : each.request === request;
    const waiting = (signing.get(row.workstation_id) ?? []).find(answers);
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
}

async function exceptionsOf(pool: Pool, now: Date, workstations: readonly string[]): Promise<Map<string, Given[]>> {
  const { rows } = await pool.query<Omit<Given, "at"> & { of: string; at: Date }>(
    `SELECT e.workstation_id AS "of", ${DIGEST("e.statement")} AS exception,
            (e.statement ->> 'text')::jsonb ->> 'notAfter' AS "notAfter",
            (e.statement ->> 'carried')::jsonb ->> 'request' AS request,
            (e.statement ->> 'carried')::jsonb ->> 'reason' AS reason, e.created_at AS at
       FROM workstation_statement e
      WHERE e.workstation_id = ANY($2::uuid[]) AND e.type = 'exception'
        AND e.created_at > $1::timestamptz - make_interval(days => ${DAYS})`,
    [now, workstations],
  );
  return Map.groupBy(
    rows.map((row) => ({ ...row, at: row.at.toISOString() })),
    ({ of }) => of,
  );
}

/** What people have been asked to sign. */
async function signingOf(pool: Pool, workstations: readonly string[]): Promise<Map<string, Signing[]>> {
  const { rows } = await pool.query<Signing & { of: string }>(
    `SELECT p.act ->> 'workstation' AS "of", p.act ->> 'manifest' AS manifest, p.act ->> 'request' AS request,
            p.act ->> 'notAfter' AS "notAfter"
       FROM proposal p
      WHERE p.kind = 'exception' AND p.state = 'waiting' AND p.act ->> 'workstation' = ANY($1::text[])`,
    [workstations],
  );
  return Map.groupBy(rows, ({ of }) => of);
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
