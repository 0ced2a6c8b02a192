/** A listening stream socket for as long as the signal says, and everything let go of behind it. */
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { Outlet } from "../source.ts";

type Listening = {
  host?: string;
  port?: number;
  /** A Unix socket instead, open to every user of this machine as /dev/log is. */
  path?: string;
  outlet: Outlet;
  /** Ends the open connections and waits for what they still had. */
  done: () => Promise<void>;
};

/** @throws where the address cannot be had: taken, not allowed, not this machine's */
export async function listening(server: Server, { host, port, path, outlet, done }: Listening, signal: AbortSignal) {
  try {
    server.listen(path === undefined ? { host, port } : { path, readableAll: true, writableAll: true });
    await once(server, "listening", { signal });
    outlet.state({ state: "running", at: placeOf(server) });
    const [error] = await once(server, "error", { signal });
    throw error;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await done();
    await closed;
  }
}

function placeOf(server: Server): string {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return address;
  return address.family === "IPv6" ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
