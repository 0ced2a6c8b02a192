import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureKeys } from "../src/keys.ts";
import { renew } from "../src/renew.ts";

describe("the console's keys", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-keys-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are readable by their owner alone", async () => {
    const keys = await ensureKeys(folder);
    expect(statSync(keys.folder).mode & 0o777).toBe(0o700);
    for (const file of [keys.ca, keys.caKey, keys.console, keys.session, keys.broker.key, keys.worker.cert])
      expect(statSync(file).mode & 0o777, file).toBe(0o600);
  });

  it("make a chain that openssl accepts, for each name it is asked for", async () => {
    const keys = await ensureKeys(folder, ["console.example.org", "192.0.2.7"]);
    const verify = (...args: string[]) =>
      execFileSync("openssl", ["verify", "-CAfile", keys.ca, ...args], { stdio: "pipe" });
    verify("-purpose", "sslserver", "-verify_hostname", "console.example.org", keys.broker.cert);
    verify("-purpose", "sslserver", "-verify_ip", "192.0.2.7", keys.listener.cert);
    verify("-purpose", "sslclient", keys.worker.cert);
    expect(() => verify("-purpose", "sslserver", keys.worker.cert)).toThrow();
    expect(() => verify("-purpose", "sslserver", "-verify_hostname", "other.example.org", keys.broker.cert)).toThrow();
  });

  it("stay the same at the next start; only a certificate that lacks a name is made anew, from the same key", async () => {
    const keys = await ensureKeys(folder);
    const read = () =>
      [keys.ca, keys.caKey, keys.console, keys.session, keys.broker.key, keys.worker.cert].map((file) =>
        readFileSync(file, "utf8"),
      );
    const before = [...read(), readFileSync(keys.broker.cert, "utf8")];
    await ensureKeys(folder);
    expect([...read(), readFileSync(keys.broker.cert, "utf8")]).toEqual(before);
    await ensureKeys(folder, ["new.example.org"]);
    expect(read()).toEqual(before.slice(0, -1));
    expect(readFileSync(keys.broker.cert, "utf8")).not.toBe(before.at(-1));
  });

  it("are made anew three months before their end, from the same key, and those that serve them are named", async () => {
    const made = Date.now();
    const at = (days: number) => new Date(made + days * 86_400_000);
    const keys = await ensureKeys(folder, [], at(0));
    const key = readFileSync(keys.broker.key, "utf8");
    expect(await renew(folder, [], at(300))).toEqual([]);
    expect(await renew(folder, [], at(308))).toEqual(["broker", "listener", "worker"]);
    expect(await renew(folder, [], at(309))).toEqual([]);
    expect(readFileSync(keys.broker.key, "utf8")).toBe(key);
    expect(await renew(folder, ["new.example.org"], at(309))).toEqual(["broker", "listener"]);
  });

  it("are not made anew beside a CA whose key is gone", async () => {
    const keys = await ensureKeys(folder);
    rmSync(keys.caKey);
    await expect(ensureKeys(folder)).rejects.toThrow("put it back from a backup");
  });
});
