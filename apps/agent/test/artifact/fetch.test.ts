/** Artifacts over HTTPS from a console that does everything wrong that it can, onto a real disk. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ensureKeys } from "../../../../packages/up/src/keys.ts";
import { NotYet } from "../../src/appliers/applier.ts";
import { type ArtifactNeeds, artifacts } from "../../src/artifact/artifacts.ts";
import { artifactStore } from "../../src/dom0/artifact-store.ts";
import { fetchArtifact } from "../../src/enrol/artifact.ts";

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "sallyport-fetch-"));
const body = randomBytes(3 * MIB);
const digest = createHash("sha256").update(body).digest("hex") as Sha256;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let url: string;
let answer: Answer;
let asked: { range: string | undefined; subject: string | undefined }[] = [];
let credentials: () => { key: string; certificate: string; cas: string[] };
const stopping = new AbortController();
let kept: string;
let count = 0;

beforeAll(async () => {
  const keys = await ensureKeys(folder);
  const read = (file: string) => readFileSync(file, "utf8");
  const ca = read(keys.ca);
  server = createServer(
    { key: read(keys.listener.key), cert: read(keys.listener.cert), ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const subject = (request.socket as TLSSocket).authorized
        ? (request.socket as TLSSocket).getPeerCertificate().subject?.CN
        : undefined;
      asked.push({ range: request.headers.range, subject: subject as string | undefined });
      answer(request, response);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  credentials = () => ({ key: read(keys.worker.key), certificate: read(keys.worker.cert), cas: [ca] });
});
afterAll(async () => {
  stopping.abort();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  asked = [];
});

/** As the console answers. */
const honest: Answer = (request, response) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const range = from > 0 ? { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { "content-length": body.length - from, ...range });
  response.end(body.subarray(from));
};
const cutAfter =
  (bytes: number): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, bytes), () => response.destroy());
  };

function agent(more: Partial<ArtifactNeeds> = {}) {
  kept = join(folder, `kept-${count++}`);
  return again(more);
}
/** Another life of the agent over the same folder. */
const again = (more: Partial<ArtifactNeeds> = {}) =>
  artifacts({
    store: artifactStore(kept),
    fetch: fetchArtifact(url, credentials),
    changed: () => {},
    monotonic: () => performance.now(),
    log: quiet,
    signal: stopping.signal,
    retryMs: 0,
    ...more,
  });
const get = (from: ReturnType<typeof agent>, sha256 = digest, most = 8 * MIB) => from.get(sha256, "The rule set", most);

describe("an artifact", () => {
  it("comes by the workstation's certificate, whole, and is not asked for twice", async () => {
    answer = honest;
    const made = agent();
    const path = await get(made);
    expect(readFileSync(path).equals(body)).toBe(true);
    expect(await get(made)).toBe(path);
    expect(asked).toEqual([{ range: undefined, subject: expect.any(String) }]);
  });

  it("goes on from where the fetch broke off, in the same life and in the next", async () => {
    answer = cutAfter(MIB);
    const made = agent();
    await expect(get(made)).rejects.toThrow(
      /^The rule set [0-9a-f]{12} could not be fetched, and what was in force before stays: the fetch broke off after \d+ of 3145728 bytes; the next one goes on from there\.$/,
    );
    const { size } = statSync(join(kept, `${digest}.part`));
    expect(size).toBeGreaterThan(0);
    answer = honest;
    expect(readFileSync(await get(again())).equals(body)).toBe(true);
    expect(asked.at(-1)?.range).toBe(`bytes=${size}-`);
    expect(existsSync(join(kept, `${digest}.part`))).toBe(false);
  });

  it("with another sum is thrown away, whether it came so or was changed where it lay", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": body.length });
      response.end(Buffer.from(body).fill(0, 100, 101 + 1));
    };
    const made = agent();
    await expect(get(made)).rejects.toThrow(/has another sum, [0-9a-f]{64}, and was thrown away/);
    expect(existsSync(join(kept, digest))).toBe(false);
    expect(existsSync(join(kept, `${digest}.part`))).toBe(false);
    answer = honest;
    const path = await get(made);
    writeFileSync(path, "something else");
    expect(readFileSync(await get(again())).equals(body)).toBe(true);
  });

  it("of a beginning that is not its own begins anew", async () => {
    answer = honest;
    agent();
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, `${digest}.part`), "not its beginning");
    await expect(get(again())).rejects.toThrow("has another sum");
    expect(readFileSync(await get(again())).equals(body)).toBe(true);
    // longer than the whole: the console has nothing behind it
    const made = agent();
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, `${digest}.part`), Buffer.alloc(body.length + 1));
    answer = (request, response) => {
      if (!request.headers.range) return honest(request, response);
      response
        .writeHead(416, { "content-type": "application/json" })
        .end(JSON.stringify({ error: "It ends before.", code: "range" }));
    };
    await expect(get(made)).rejects.toThrow("It ends before");
    expect(readFileSync(await get(made)).equals(body)).toBe(true);
  });

  it("without an end is left at once, announced or not, and takes no disk", async () => {
    const made = agent();
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": 2 ** 40 });
      response.write(body);
    };
    await expect(get(made)).rejects.toThrow(`says that it has ${2 ** 40} bytes; at most ${8 * MIB} are taken`);
    answer = (_request, response) => {
      response.writeHead(200); // chunked: it may go on for ever
      const more = () => response.write(body, () => !response.destroyed && more());
      more();
    };
    await expect(get(made)).rejects.toThrow("does not say how long it is");
    expect(existsSync(join(kept, `${digest}.part`))).toBe(false);
  });

  it("that the console refuses is told in its own words, and a stranger's answer as what it is", async () => {
    const made = agent();
    answer = (_request, response) =>
      response
        .writeHead(404, { "content-type": "application/json" })
        .end(JSON.stringify({ error: "This console has no artifact.", code: "absent" }));
    await expect(get(made)).rejects.toThrow(/stays: the console refuses: This console has no artifact\.$/);
    answer = (_request, response) =>
      response.writeHead(302, { location: "http://elsewhere/" }).end("x".repeat(200_000));
    await expect(get(made)).rejects.toThrow("refuses with HTTP 302");
    answer = (_request, response) => response.writeHead(206, { "content-range": `bytes 5-9/10` }).end("12345");
    await expect(get(made)).rejects.toThrow("another part of it");
  });

  it("from who is not this console's listener is not asked for", async () => {
    answer = honest;
    const other = mkdtempSync(join(folder, "other-"));
    const strange = readFileSync((await ensureKeys(other)).ca, "utf8");
    const made = agent({ fetch: fetchArtifact(url, () => ({ ...credentials(), cas: [strange] })) });
    await expect(get(made)).rejects.toThrow(/could not be fetched.*does not send it/);
    expect(asked).toEqual([]);
  });

  it("that takes long holds nobody up: it is said to be on its way, and rings when it is there", async () => {
    let go = () => {};
    answer = (request, response) => {
      go = () => honest(request, response);
    };
    let rung = () => {};
    const changed = new Promise<void>((resolve) => {
      rung = resolve;
    });
    const made = agent({ waitMs: 50, changed: () => rung() });
    await expect(get(made)).rejects.toBeInstanceOf(NotYet);
    await expect(get(made)).rejects.toThrow("is being fetched from the console");
    expect(asked).toHaveLength(1);
    go();
    await changed;
    expect(readFileSync(await get(made)).equals(body)).toBe(true);
  });

  it("is not asked for by every look after a failure", async () => {
    answer = cutAfter(0);
    const made = agent({ retryMs: 60_000 });
    await expect(get(made)).rejects.toThrow("broke off");
    await expect(get(made)).rejects.toThrow("broke off");
    expect(asked).toHaveLength(1);
  });

  it("of earlier policies stays until there is too much of them, and what is named stays", async () => {
    const store = artifactStore(agent() && kept);
    mkdirSync(kept, { recursive: true });
    for (const name of ["a", "b", "c"]) writeFileSync(join(kept, name.repeat(64)), Buffer.alloc(1000));
    writeFileSync(join(kept, `${"d".repeat(64)}.part`), "x");
    writeFileSync(join(kept, "not ours"), "x");
    await store.prune(new Set(["a".repeat(64)]), 1500);
    const left = (name: string) => existsSync(join(kept, name.repeat(64)));
    expect([left("a"), left("b") !== left("c"), existsSync(join(kept, `${"d".repeat(64)}.part`))]).toEqual([
      true,
      true,
      false,
    ]);
    expect(existsSync(join(kept, "not ours"))).toBe(true);
  });
});

describe("a disk", () => {
  it("without room is told before anything is taken of it", async () => {
    answer = honest;
    const made = agent();
    const store = { ...artifactStore(kept), freeBytes: async () => 257 * MIB };
    await expect(get(again({ store }))).rejects.toThrow(
      /dom0's disk has no room for it: 3145728 bytes are to come, 269484032 are free/,
    );
    expect(existsSync(join(kept, `${digest}.part`))).toBe(false);
    await get(made);
  });

  it.skipIf(process.getuid?.() !== 0)("that is full in the middle gets back what was taken of it", async () => {
    answer = honest;
    agent();
    mkdirSync(kept, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", kept]);
    try {
      const store = { ...artifactStore(kept), freeBytes: async () => 1024 * MIB };
      await expect(get(again({ store }))).rejects.toThrow("dom0's disk does not take it: its disk is full");
      expect(existsSync(join(kept, `${digest}.part`))).toBe(false);
    } finally {
      execFileSync("umount", [kept]);
    }
  });
});
