/** Messages → one connection of syslog, over TLS or TCP. Nothing in the protocol says that a message was taken: so the
 *  connection is ended in order, and what was written counts once the receiver has ended it too, having read to the end. */
import { isIP, connect as tcp } from "node:net";
import { getCACertificates, connect as tls } from "node:tls";
import { checkedAddress } from "./address.ts";
import type { Target } from "./destination.ts";
import type { Message } from "./message.ts";
import type { Outcome, SendDeps } from "./send.ts";
import { framed, syslogText } from "./syslog.ts";

type Syslog = Extract<Target, { kind: "syslog" }>;

/** @throws what the network or TLS says */
export async function writeAll(
  { may, host: own, resolve }: SendDeps,
  { host: name, port, transport, ca }: Syslog,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Outcome> {
  const host = await checkedAddress(name, may, resolve);
  signal.throwIfAborted();
  const bytes = Buffer.concat(messages.map((message) => framed(syslogText(message, own))));
  return new Promise((settle, reject) => {
    const secure = {
      ...(isIP(name) === 0 && { servername: name }),
      ...(ca !== undefined && { ca: [...getCACertificates("default"), ca] }),
    };
    const socket = transport === "tls" ? tls({ host, port, ...secure }) : tcp({ host, port });
    const abort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    let ended = false;
    socket.once(transport === "tls" ? "secureConnect" : "connect", () => socket.end(bytes));
    socket.on("data", () => undefined); // none is expected
    socket.once("end", () => {
      ended = true;
    });
    socket.on("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", abort);
      if (ended && socket.writableFinished) settle({ ok: true });
      else reject(new Error("The connection was cut before the receiver had ended it in order."));
    });
  });
}
