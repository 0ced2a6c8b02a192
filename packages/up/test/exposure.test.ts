import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startStack } from "../src/start.ts";

test("a console that would speak plain HTTP to the network is refused before anything is made or started", async () => {
  const stateFolder = join(tmpdir(), `sallyport-exposed-${process.pid}`);
  const env = { SALLYPORT_TRUSTED_PROXIES: "", SALLYPORT_INSECURE_HTTP: "" };
  await expect(startStack({ stateFolder, host: "console.example.org", env })).rejects.toThrow(/Nothing was started/);
  expect(existsSync(stateFolder)).toBe(false);
});
