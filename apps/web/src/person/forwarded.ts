/** Socket → headers. Next tells its routes nothing of the socket but `X-Forwarded-For`, and keeps whatever a client put
 *  there. So before next sees a request, the header is set to the one address that is believed (address.ts), and what else a
 *  stranger says of a proxy is dropped. Everything that reads an address reads it from here. */
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { clientAddress, readTrusted } from "./address.ts";

/** Node publishes here after the headers are read and before the server's own listener. */
const REQUESTS = "http.server.request.start";
const SAID_OF_PROXIES = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded", "x-real-ip"];

type Started = { request: IncomingMessage; socket: Socket };

/** @throws when the setting cannot be read: a console that would believe anybody does not start */
export function believeOnlyProxies(setting: string | undefined): void {
  const trusted = readTrusted(setting);
  subscribe(REQUESTS, (message) => {
    const { request, socket } = message as Started;
    const peer = socket.remoteAddress ?? "";
    const { headers } = request;
    const forwarded = headers["x-forwarded-for"];
    headers["x-forwarded-for"] = clientAddress(
      peer,
      Array.isArray(forwarded) ? forwarded.join(",") : forwarded,
      trusted,
    );
    if (!trusted(peer.replace(/^::ffff:/i, ""))) for (const name of SAID_OF_PROXIES) delete headers[name];
  });
}
