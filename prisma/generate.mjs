#!/usr/bin/env node
// schema.prisma + model/ → apps/web/src/prisma/generated. Prisma's own command wants to download a native engine, which a
// site without internet cannot have and `generate` does not use; /bin/true stands in its place. Runs on Node 20 as well.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../apps/web/src/prisma/generated");
const stamp = join(out, ".made-from");

/** Generates the client when the schema, the generator or this file changed; answers whether it did. */
export function generate() {
  const require = createRequire(import.meta.url);
  const cli = require.resolve("prisma/package.json");
  const models = readdirSync(join(here, "model")).filter((name) => name.endsWith(".prisma"));
  const hash = createHash("sha256").update(JSON.parse(readFileSync(cli, "utf8")).version);
  for (const name of ["schema.prisma", ...models.sort().map((name) => `model/${name}`)])
    hash.update(`\0${name}\0`).update(readFileSync(join(here, name)));
  const wanted = hash.digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return false;
  try {
    const args = [join(dirname(cli), "build/index.js"), "generate", "--config", join(here, "prisma.config.ts")];
    execFileSync(process.execPath, args, {
      cwd: join(here, ".."),
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true", CHECKPOINT_DISABLE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    throw new Error(`The database client could not be generated from prisma/:\n${error.stderr || error.message}`);
  }
  writeFileSync(stamp, wanted);
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    generate();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
