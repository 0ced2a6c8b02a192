/** Where the console listens and what its address is. Its pages are plain HTTP: over a network only behind a proxy that
 *  ends TLS, or where a person says aloud that this is a trial. Pure. */
import { isIP } from "node:net";

export type Exposure = {
  /** Where agents' servers (broker, listener) and the console's pages listen. */
  bind: string;
  consoleBind: string;
  /** The console's address for people, without a path; undefined: http:// at the port it gets. */
  publicUrl: string | undefined;
  warning: string | undefined;
};

const HERE = "127.0.0.1";
const EVERYWHERE = "0.0.0.0";

const isLoopback = (host: string): boolean =>
  /^localhost$/i.test(host) || (isIP(host) === 4 && host.startsWith("127.")) || host === "::1" || host === "[::1]";

/** @throws a sentence that says what to do, where passwords would cross the network in the clear */
export function exposure(host: string | undefined, env: NodeJS.ProcessEnv): Exposure {
  if (host === undefined || isLoopback(host))
    return { bind: HERE, consoleBind: HERE, publicUrl: undefined, warning: undefined };
  const proxies = (env.SALLYPORT_TRUSTED_PROXIES ?? "").split(/[\s,]+/).filter(Boolean);
  if (proxies.length > 0) {
    const publicUrl = (env.SALLYPORT_URL ?? `https://${host}`).replace(/\/+$/, "");
    if (!publicUrl.startsWith("https://"))
      throw new Error(
        `SALLYPORT_URL is ${publicUrl}: behind a proxy that ends TLS it must be the https:// address that people use.`,
      );
    const consoleBind = proxies.every((proxy) => isLoopback(proxy.split("/")[0]!)) ? HERE : EVERYWHERE;
    return { bind: EVERYWHERE, consoleBind, publicUrl, warning: undefined };
  }
  if (env.SALLYPORT_INSECURE_HTTP === "1")
    return {
      bind: EVERYWHERE,
      consoleBind: EVERYWHERE,
      publicUrl: undefined,
      warning:
        "SALLYPORT_INSECURE_HTTP=1: passwords and sessions cross the network in the clear. For a trial only; then put a proxy with TLS before it (docs/operations.md).",
    };
  throw new Error(
    `SALLYPORT_HOST is ${host}, and the console's pages are plain HTTP: passwords and sessions would cross the network in ` +
      "the clear. Put a proxy with TLS before it and name the proxy in SALLYPORT_TRUSTED_PROXIES (docs/operations.md), or, " +
      "for a trial on a network you trust, set SALLYPORT_INSECURE_HTTP=1. Nothing was started.",
  );
}
