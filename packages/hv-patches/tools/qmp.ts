/** QEMU's monitor protocol (QMP) over a UNIX socket: one command at a time, events kept for whoever waits for them. */
import net from "node:net";
import path from "node:path";

const ANSWER_MS_MAX = 120_000;
const GREETING_MS_MAX = 10_000;
/** sockaddr_un holds 107 bytes; a clone deep in a file system is reached by a relative path instead. */
const SOCKET_PATH_BYTES_MAX = 107;

/** The shorter name of a socket: absolute, or relative to where this process stands. */
export function socketPath(file: string): string {
  const shorter = [file, path.relative(process.cwd(), file)].sort((a, b) => a.length - b.length)[0]!;
  if (Buffer.byteLength(shorter) <= SOCKET_PATH_BYTES_MAX) return shorter;
  throw new Error(`the path ${file} is too long for a UNIX socket: set SALLYPORT_CACHE to a shorter folder`);
}

export type QmpEvent = { event: string; data?: unknown };
export type Qmp = {
  run(command: string, args?: object): Promise<unknown>;
  /** A command of the human monitor, for the few things QMP has no word for. */
  human(line: string): Promise<string>;
  events: QmpEvent[];
  close(): void;
};

export async function connectQmp(file: string): Promise<Qmp> {
  const socket = net.connect(socketPath(file));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const events: QmpEvent[] = [];
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const fail = (error: Error) => {
    for (const each of waiting.splice(0)) each.reject(error);
  };
  const { promise: greeting, resolve: greeted, reject: refuse } = Promise.withResolvers<void>();
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      const message = JSON.parse(line) as Record<string, unknown>;
      if ("QMP" in message) greeted();
      else if ("event" in message) events.push(message as unknown as QmpEvent);
      else if ("error" in message) waiting.shift()?.reject(new Error((message.error as { desc: string }).desc));
      else waiting.shift()?.resolve(message.return);
    }
  });
  socket.on("error", (error) => fail(error));
  socket.on("close", () => fail(new Error("QEMU closed its monitor")));

  const run = (command: string, args: object = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy(new Error(`QEMU did not answer ${command} within ${ANSWER_MS_MAX / 1000} s`));
      }, ANSWER_MS_MAX);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      waiting.push({ resolve: settle(resolve), reject: settle(reject) });
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  const greetingTimer = setTimeout(() => {
    socket.destroy();
    refuse(new Error(`QEMU's monitor ${file} does not answer: it speaks to one process at a time, end the other one`));
  }, GREETING_MS_MAX);
  await greeting.finally(() => clearTimeout(greetingTimer));
  await run("qmp_capabilities");
  return {
    run,
    human: async (line) => String(await run("human-monitor-command", { "command-line": line })),
    events,
    close: () => socket.destroy(),
  };
}
