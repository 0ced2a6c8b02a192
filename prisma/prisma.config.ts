import { defineConfig } from "prisma/config";

/** Read by Prisma's command line only; the console connects through the pg adapter and DATABASE_URL. */
export default defineConfig({
  schema: ".",
  migrations: { path: "migrations" },
  // biome-ignore lint/suspicious/noUndeclaredEnvVars: no turbo task runs Prisma
  datasource: { url: process.env.DATABASE_URL ?? "postgresql://127.0.0.1:1/no-database-needed" },
});
