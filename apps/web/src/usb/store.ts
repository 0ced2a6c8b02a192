/** Scans and the files of their manifests ↔ Postgres. */
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";
import type { SortWord } from "./sort.ts";

export const PAGE_ROWS_MAX = 200;
const FOUND_FILES_MAX = 500;

export type ScanRow = {
  trail: number;
  index: number;
  workstation: { id: string; name: string };
  time: string;
  received: string;
  source: string | null;
  verdict: "allow" | "block" | "hold";
  reason: string;
  image: { sha256: string | null; size: number | null };
  files: number;
  infected: number;
  unscannable: number;
  engine: string | null;
  definitions: string | null;
};

type Raw = {
  trail: number;
  index: string;
  workstation_id: string;
  name: string;
  time: Date;
  received: Date;
  source: string | null;
  verdict: ScanRow["verdict"];
  reason: string;
  image_sha256: string | null;
  image_size: string | null;
  files: number;
  infected: number;
  unscannable: number;
  engine: string | null;
  definitions: string | null;
};

const toRow = (raw: Raw): ScanRow => ({
  trail: raw.trail,
  index: Number(raw.index),
  workstation: { id: raw.workstation_id, name: raw.name },
  time: raw.time.toISOString(),
  received: raw.received.toISOString(),
  source: raw.source,
  verdict: raw.verdict,
  reason: raw.reason,
  image: { sha256: raw.image_sha256, size: raw.image_size === null ? null : Number(raw.image_size) },
  files: raw.files,
  infected: raw.infected,
  unscannable: raw.unscannable,
  engine: raw.engine,
  definitions: raw.definitions,
});

const SELECT = "SELECT s.*, w.name FROM scan s JOIN workstation w ON w.id = s.workstation_id";

/** Which scan a page ends with. */
export type Key = { trail: number; index: number };
export type Asked = {
  verdict?: ScanRow["verdict"] | undefined;
  workstation?: string | undefined;
  sort?: SortWord | undefined;
  after?: Key | undefined;
};

const PLACE = ["received", "trail", "index"];
/** Infected files weigh more than any number of unscannable ones. */
const KEYS = { received: PLACE, "not-clean": ["infected", "unscannable", ...PLACE] };

/** Newest first unless asked otherwise. */
export async function listScans(
  pool: Pool,
  asked: Asked,
  limit = PAGE_ROWS_MAX,
): Promise<{ rows: ScanRow[]; next: Key | null }> {
  const by = asked.sort ?? "-received";
  const keys = KEYS[by.replace(/^-/, "") as keyof typeof KEYS];
  const [beyond, order] = by.startsWith("-") ? ["<", "DESC"] : [">", "ASC"];
  const of = (table: string) => keys.map((key) => `${table}.${key}`).join(", ");
  const { rows } = await pool.query<Raw>(
    `${SELECT}
      WHERE ($1::text IS NULL OR s.verdict = $1) AND ($2::uuid IS NULL OR s.workstation_id = $2)
        AND ($3::int IS NULL
             OR (${of("s")}) ${beyond} (SELECT ${of("c")} FROM scan c WHERE c.trail = $3 AND c.index = $4::bigint))
      ORDER BY ${keys.map((key) => `s.${key} ${order}`).join(", ")} LIMIT $5`,
    [
      asked.verdict ?? null,
      asked.workstation ?? null,
      asked.after?.trail ?? null,
      asked.after?.index ?? null,
      limit + 1,
    ],
  );
  const page = rows.slice(0, limit).map(toRow);
  const last = page.at(-1);
  return {
    rows: page,
    next: rows.length > limit && last ? { trail: last.trail, index: last.index } : null,
  };
}

export async function getScan(pool: Pool, trail: number, index: number): Promise<ScanRow> {
  const { rows } = await pool.query<Raw>(`${SELECT} WHERE s.trail = $1 AND s.index = $2`, [trail, index]);
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is no such scan.");
  return toRow(rows[0]);
}

export type FileRow = {
  position: number;
  path: string;
  size: number;
  md5: string | null;
  sha256: string | null;
  type: string | null;
  finding: "clean" | "infected" | "unscannable";
  detail: string | null;
};
type RawFile = Omit<FileRow, "size"> & { size: string };
const FILE = "f.position, f.path, f.size, f.md5, f.sha256, f.type, f.finding, f.detail";

/** Where a page of files ends. */
export type FileKey = { finding: FileRow["finding"]; position: number };

const rank = (finding: string) => `CASE ${finding} WHEN 'infected' THEN 0 WHEN 'unscannable' THEN 1 ELSE 2 END`;

/** What is infected, then what is unscannable, then, unless only those are asked for, the rest of the manifest. */
export async function listFiles(
  pool: Pool,
  asked: { trail: number; index: number; after: FileKey | undefined; suspect: boolean },
): Promise<{ rows: FileRow[]; next: FileKey | null }> {
  const { rows } = await pool.query<RawFile>(
    `SELECT ${FILE} FROM manifest_file f
      WHERE f.trail = $1 AND f.index = $2 AND (${rank("f.finding")}, f.position) > (${rank("$3::text")}, $4::int)
        AND (NOT $5 OR f.finding <> 'clean')
      ORDER BY ${rank("f.finding")}, f.position LIMIT $6`,
    [
      ...[asked.trail, asked.index, asked.after?.finding ?? "infected", asked.after?.position ?? -1],
      ...[asked.suspect, PAGE_ROWS_MAX + 1],
    ],
  );
  const page = rows.slice(0, PAGE_ROWS_MAX).map((row) => ({ ...row, size: Number(row.size) }));
  const last = page.at(-1);
  const more = rows.length > PAGE_ROWS_MAX && last;
  return { rows: page, next: more ? { finding: last.finding, position: last.position } : null };
}

/** One file of a manifest. */
export async function getFile(pool: Pool, asked: { trail: number; index: number; position: number }): Promise<FileRow> {
  const { rows } = await pool.query<RawFile>(
    `SELECT ${FILE} FROM manifest_file f WHERE f.trail = $1 AND f.index = $2 AND f.position = $3`,
    [asked.trail, asked.index, asked.position],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", `The manifest has no file ${asked.position}.`);
  return { ...rows[0], size: Number(rows[0].size) };
}

export type FoundRow = FileRow & { scan: ScanRow };

/** Every place in the fleet where a file with this hash was seen, newest first; and sticks whose image has it. */
export async function findHash(pool: Pool, hash: string): Promise<{ files: FoundRow[]; images: ScanRow[] }> {
  const column = hash.length === 32 ? "md5" : "sha256";
  const [files, images] = await Promise.all([
    pool.query<RawFile & Raw>(
      `SELECT s.*, w.name, ${FILE} FROM manifest_file f
         JOIN scan s ON s.trail = f.trail AND s.index = f.index JOIN workstation w ON w.id = s.workstation_id
        WHERE f.${column} = $1 ORDER BY s.received DESC, f.position LIMIT $2`,
      [hash, FOUND_FILES_MAX],
    ),
    hash.length === 64
      ? pool.query<Raw>(`${SELECT} WHERE s.image_sha256 = $1 ORDER BY s.received DESC LIMIT $2`, [
          hash,
          FOUND_FILES_MAX,
        ])
      : { rows: [] },
  ]);
  return {
    files: files.rows.map(({ position, path, size, md5, sha256, type, finding, detail, ...scan }) => ({
      position,
      path,
      size: Number(size),
      md5,
      sha256,
      type,
      finding,
      detail,
      scan: toRow(scan),
    })),
    images: images.rows.map(toRow),
  };
}
