/** Prisma's schema engine in WebAssembly, for one question: what SQL would turn this database into the model?
 *  The native engine is a download that a site without internet cannot have. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlQuery,
  type SqlQueryable,
} from "@prisma/driver-adapter-utils";
import pg from "pg";

type Engine = typeof import("@prisma/schema-engine-wasm/schema_engine_bg");
type SchemaFile = { path: string; content: string };

/** The catalogue's internal "char" type (oid 18), which the pg adapter does not know. */
const CHAR_OID = 18;
const TEXT_OID = 25;
const CHAR_MARK = "\u0000char";

export function readModel(folder = dirname(fileURLToPath(import.meta.url))): SchemaFile[] {
  const models = readdirSync(join(folder, "model")).filter((name) => name.endsWith(".prisma"));
  return ["schema.prisma", ...models.map((name) => `model/${name}`)].map((name) => ({
    path: join(folder, name),
    content: readFileSync(join(folder, name), "utf8"),
  }));
}

/** SQL from the database's present state to the model; empty when they agree. */
export async function diff(databaseUrl: string, files: SchemaFile[]): Promise<string> {
  loading ??= instantiate();
  const engineModule = await loading;
  const pool = new pg.Pool({ connectionString: databaseUrl, Client: CharClient });
  class Factory extends PrismaPg {
    override async connect() {
      return readChar(await super.connect());
    }
  }
  const factory = bindMigrationAwareSqlAdapterFactory(new Factory(pool));
  const engine = await engineModule.SchemaEngine.new({ datamodels: undefined }, () => undefined, factory);
  try {
    const answer = await engine.diff({
      from: { tag: "schemaDatasource", files, configDir: "." },
      to: { tag: "schemaDatamodel", files },
      script: true,
      exitCode: null,
      shadowDatabaseUrl: null,
      filters: { externalTables: ["public._prisma_migrations"], externalEnums: [] },
    } as Parameters<typeof engine.diff>[0]);
    const sql = (answer.stdout ?? "").trim();
    return sql === "-- This is an empty migration." ? "" : sql;
  } finally {
    await pool.end();
  }
}

/** The bindings hold one instance for the whole process. */
let loading: Promise<Engine> | undefined;

async function instantiate(): Promise<Engine> {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve("@prisma/schema-engine-wasm"));
  const bindings = await import(pathToFileURL(join(folder, "schema_engine_bg.js")).href);
  const wasm = new WebAssembly.Module(readFileSync(join(folder, "schema_engine_bg.wasm")));
  const instance = new WebAssembly.Instance(wasm, { "./schema_engine_bg.js": bindings });
  bindings.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
  return bindings as Engine;
}

/** Announces "char" columns as text, marked by name, so that the adapter lets them through. */
class CharClient extends pg.Client {
  // pg.Client.query has a dozen overloads; the pool uses the one whose last argument takes (error, result)
  override query(...query: unknown[]): never {
    const done = query.at(-1);
    if (typeof done === "function")
      query[query.length - 1] = (error: unknown, result?: pg.QueryResult) => done(error, mark(result));
    return (super.query as (...query: unknown[]) => never).apply(this, query);
  }
}

function mark(result?: pg.QueryResult): pg.QueryResult | undefined {
  for (const field of result?.fields ?? []) {
    if (field.dataTypeID !== CHAR_OID) continue;
    field.dataTypeID = TEXT_OID;
    field.name += CHAR_MARK;
  }
  return result;
}

function readChar<Q extends SqlQueryable>(queryable: Q): Q {
  const ask = queryable.queryRaw.bind(queryable);
  queryable.queryRaw = async (query: SqlQuery) => {
    const answer = await ask(query);
    answer.columnNames.forEach((name, i) => {
      if (!name.endsWith(CHAR_MARK)) return;
      answer.columnNames[i] = name.slice(0, -CHAR_MARK.length);
      answer.columnTypes[i] = ColumnTypeEnum.Character;
    });
    return answer;
  };
  return queryable;
}

/** `node prisma/engine.ts DATABASE_URL` prints the SQL from that database to the model: the body of a new migration. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const url = process.argv[2];
  if (!url) throw new Error("usage: node prisma/engine.ts DATABASE_URL");
  console.log(await diff(url, readModel()));
}
