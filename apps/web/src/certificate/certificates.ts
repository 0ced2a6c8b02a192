/** Key files, what the broker shows, and the certificate rows → alerts of what was not renewed in time. */
import { X509Certificate } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type SecureContextOptions } from "node:tls";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { type Certificate, endings, TELL_DAYS } from "./ending.ts";
import { listEnding, storeEndings } from "./store.ts";

const LOOK_MS = 3_600_000;
/** A look that failed is repeated sooner. */
const AGAIN_MS = 60_000;
const SHOWN_MS_MAX = 10_000;
const DAY_MS = 86_400_000;
/** MQTT's word for going; with it the handshake is over on both sides, and no broker complains. */
const DISCONNECT = new Uint8Array([0xe0, 0]);

export type CertificateDeps = {
  pool: Pool;
  log: Logger;
  now: () => Date;
  /** The console's own certificate files as they are now, in PEM. */
  read: (name: "ca" | "broker" | "listener" | "worker") => Buffer;
  /** When the certificate that the broker shows ends; undefined where it is not reached now or speaks no TLS. */
  shown: () => Promise<Date | undefined>;
};

/** One look. */
export async function lookAtCertificates(deps: CertificateDeps): Promise<{ raised: number; closed: number }> {
  const now = deps.now();
  const file = (name: Parameters<CertificateDeps["read"]>[0]) => new X509Certificate(deps.read(name)).validToDate;
  const certificates: Certificate[] = [
    { of: "ca", name: "the CA", notAfter: file("ca") },
    { of: "server", name: "the listener", notAfter: file("listener") },
    { of: "server", name: "the worker", notAfter: file("worker") },
  ];
  // the one it shows may be older than the file: it was not restarted, or is another machine's
  const ends = [file("broker"), await deps.shown()].filter((end) => end !== undefined);
  const notAfter = new Date(Math.min(...ends.map((end) => end.getTime())));
  certificates.push({ of: "server", name: "the broker", notAfter });
  const until = new Date(now.getTime() + Math.max(...TELL_DAYS.workstation) * DAY_MS);
  certificates.push(...(await listEnding(deps.pool, until)));
  return storeEndings(deps.pool, endings(certificates, now), now);
}

export async function keepCertificatesWatched(deps: CertificateDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let pause = LOOK_MS;
    try {
      const { raised, closed } = await lookAtCertificates(deps);
      if (raised + closed > 0) deps.log.info({ raised, closed }, "certificates.alerts");
    } catch (error) {
      deps.log.warn({ error: (error as Error).message }, "certificates.failed");
      pause = AGAIN_MS;
    }
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** When the certificate that answers at `url` ends. Its chain is not judged here: what is wrong with it, the link says. */
export function shownAt(url: string, tls: SecureContextOptions): Promise<Date | undefined> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "mqtts:") return Promise.resolve(undefined);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({
      ...tls,
      host,
      port: Number(port || 8883),
      rejectUnauthorized: false,
      timeout: SHOWN_MS_MAX,
    });
    const end = (found?: Date) => {
      resolve(found);
      socket.end(DISCONNECT);
    };
    socket.once("secureConnect", () => end(socket.getPeerX509Certificate()?.validToDate));
    socket.once("timeout", () => {
      resolve(undefined);
      socket.destroy();
    });
    socket.on("error", () => resolve(undefined));
    socket.resume();
  });
}
