/** A listening stream socket for as long as the signal says, and everything let go of behind it. */
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { Outlet } from "../source.ts";
import type { Connections } from "./connections.ts";

type Listening = {
  host?: string;
  port?: number;
  /** A Unix socket instead, open to every user of this machine as /dev/log is. */
  path?: string;
  outlet: Outlet;
  connections: Pick<Connections, "broken" | "end">;
};

/** @throws where the address cannot be had (taken, not allowed, not this machine's), or a connection's lines are not
 *  taken any more */
export async function listening(
  server: Server,
  { host, port, path, outlet, connections }: Listening,
  signal: AbortSignal,
): Promise<void> {
  const stop = AbortSignal.any([signal, connections.broken]);
  try {
    server.listen(path === undefined ? { host, port } : { path, readableAll: true, writableAll: true });
    await once(server, "listening", { signal: stop });
    outlet.state({ state: "running", at: placeOf(server) });
    const [error] = await once(server, "error", { signal: stop });
    throw error;
  } catch (error) {
    if (signal.aborted) return;
    throw connections.broken.aborted ? connections.broken.reason : error;
  } finally {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await connections.end();
    await closed;
  }
}

function placeOf(server: Server): string {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return address;
  return address.family === "IPv6" ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
