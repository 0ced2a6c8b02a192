import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packagesOf, servePackage } from "./packages.ts";

describe("the served package repository", () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "sallyport-packages-"));
    mkdirSync(join(state, "keys"));
    writeFileSync(join(state, "keys/console.key"), "secret");
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));
  const fill = () => {
    mkdirSync(join(state, "packages/sub.deb"), { recursive: true });
    writeFileSync(join(state, "packages/InRelease"), "signed\n");
    writeFileSync(join(state, "packages/sallyport-agent_1.0.0~rc1_amd64.deb"), "deb");
    writeFileSync(join(state, "packages/.hidden.deb"), "hidden");
    writeFileSync(join(state, "packages/notes.txt"), "not of a repository");
  };

  it("is named only where there is one", () => {
    expect(packagesOf(state)).toBeNull();
    fill();
    expect(packagesOf(state)).toEqual({ sources: null });
  });

  it("is named with the sum of what a machine needs to use it, which is served too", async () => {
    fill();
    writeFileSync(join(state, "packages/sallyport.sources"), "Types: deb\n");
    expect(packagesOf(state)).toEqual({ sources: createHash("sha256").update("Types: deb\n").digest("hex") });
    expect(await (await servePackage(state, "sallyport.sources")).text()).toBe("Types: deb\n");
  });

  it("gives a repository's files whole, with their length", async () => {
    fill();
    const release = await servePackage(state, "InRelease");
    expect(release.status).toBe(200);
    expect(release.headers.get("content-length")).toBe("7");
    expect(await release.text()).toBe("signed\n");
    expect(await (await servePackage(state, "sallyport-agent_1.0.0~rc1_amd64.deb")).text()).toBe("deb");
  });

  it("gives nothing else, whatever the name", async () => {
    fill();
    symlinkSync(join(state, "keys"), join(state, "packages/keys"));
    const names = ["../keys/console.key", "keys/console.key", "..", "", ".hidden.deb", "notes.txt", "sub.deb"];
    for (const name of [...names, "a\u0000.deb", "..%2fkeys%2fconsole.key", "Release", `${"x".repeat(200)}.deb`])
      expect((await servePackage(state, name)).status, name).toBe(404);
  });
});
