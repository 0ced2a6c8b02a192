/** A serial line of a running machine, as a UNIX socket: typed into by tests, joined by a person's terminal. */
import net from "node:net";
import type { Duplex } from "node:stream";
import { socketPath } from "./qmp.ts";

const connect = (file: string) =>
  new Promise<net.Socket>((resolve, reject) => {
    const socket = net.connect(socketPath(file));
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });

export async function typeInto(file: string, text: string): Promise<void> {
  const socket = await connect(file);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.end(text, resolve);
  });
}

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d;

/** Joins a terminal to the line until Ctrl-] is typed or the machine ends. */
export async function joinSerial(file: string, input: Duplex | NodeJS.ReadStream, output: NodeJS.WritableStream) {
  const socket = await connect(file);
  const terminal = "setRawMode" in input && input.isTTY ? input : undefined;
  terminal?.setRawMode(true);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("close", () => resolve());
      socket.once("error", reject);
      socket.on("data", (chunk) => output.write(chunk));
      input.on("data", (chunk: Buffer) => {
        if (chunk.includes(LEAVE)) socket.destroy();
        else socket.write(chunk);
      });
      input.once("end", () => socket.destroy());
    });
  } finally {
    terminal?.setRawMode(false);
    input.pause();
  }
}
