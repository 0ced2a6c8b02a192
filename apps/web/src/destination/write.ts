/** Messages → one connection of syslog, over TLS or TCP. Nothing in the protocol says that a message was taken: so the
 *  connection is ended in order, and what was written counts once the receiver has ended it too, having read to the end.
 *  One that ends it first, of itself, has read nobody knows what: rsyslog does so with whom it does not let in, after the
 *  handshake and without a word, and so does a balancer with no receiver behind it. */
import { isIP, connect as tcp } from "node:net";
import { getCACertificates, connect as tls } from "node:tls";
import { checkedAddresses, toOneOf } from "./address.ts";
import type { Target } from "./destination.ts";
import type { Message } from "./message.ts";
import type { Outcome, SendDeps } from "./send.ts";
import { framed, syslogText } from "./syslog.ts";

/** Between the last byte and our end: so long a receiver that will not read it has to hang up, across any network. */
const HEED_MS = 500;

type Syslog = Extract<Target, { kind: "syslog" }>;

const HUNG_UP =
  "It hung up by itself before it was told that this was all: it may have read nothing. Does it ask for a certificate of the console, or let only some in?";

/** @throws what the network or TLS says */
export async function writeAll(
  { may, host: own, resolve }: SendDeps,
  { host: name, port, transport, ca }: Syslog,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Outcome> {
  const way = { host: name, port, ...toOneOf(await checkedAddresses(name, may, resolve)) };
  signal.throwIfAborted();
  const bytes = Buffer.concat(messages.map((message) => framed(syslogText(message, own))));
  return new Promise((settle, reject) => {
    const secure = {
      ...(isIP(name) === 0 && { servername: name }),
      ...(ca !== undefined && { ca: [...getCACertificates("default"), ca] }),
    };
    const socket = transport === "tls" ? tls({ ...way, ...secure }) : tcp(way);
    const abort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    let [weEnded, itEnded] = [false, false];
    let heeding: NodeJS.Timeout | undefined;
    const end = () => {
      weEnded = true;
      socket.end();
    };
    socket.once(transport === "tls" ? "secureConnect" : "connect", () =>
      socket.write(bytes, (error) => {
        if (!error) heeding = setTimeout(end, HEED_MS);
      }),
    );
    socket.on("data", () => undefined); // none is expected
    socket.once("end", () => {
      itEnded = true;
      if (!weEnded) socket.destroy(new Error(HUNG_UP));
    });
    socket.on("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", abort);
      clearTimeout(heeding);
      if (itEnded && socket.writableFinished) settle({ ok: true });
      else reject(new Error("The connection was cut before the receiver had ended it in order."));
    });
  });
}
