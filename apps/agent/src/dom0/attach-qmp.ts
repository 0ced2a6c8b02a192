/** Gate → QEMU, by its machine protocol (QMP) over a Unix socket: an image becomes a USB stick on the guest's virtual
 *  bus, read-only. Each call is a connection of its own; answers are bounded in time and length. */
import { stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { z } from "zod";
import type { Attach } from "./attach.ts";
import { DoorError } from "./dom0.ts";

const ANSWER_MS = 30_000;
const ANSWER_CHARS_MAX = 4 * 1024 * 1024;
const HANDLES_MAX = 8;
const PREFIX = "sallyport-stick-";

const Message = z.union([
  z.object({ QMP: z.object({ version: z.unknown() }) }),
  z.object({ return: z.unknown(), id: z.string().optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.string().optional() }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
]);
type Message = z.infer<typeof Message>;
type Arguments = Record<string, unknown>;

/** What QEMU refuses, by its own class (`DeviceNotFound`, `GenericError`). */
class QmpError extends DoorError {
  readonly className: string;
  constructor(command: string, { class: className, desc }: { class: string; desc: string }) {
    super(`QEMU refuses ${command}: ${desc.slice(0, 300)}`);
    this.className = className;
  }
}

type Session = {
  ask(command: string, args?: Arguments): Promise<unknown>;
  /** Resolves with the first such event since the session began. */
  event(name: string, fits: (data: Arguments) => boolean): Promise<void>;
};

/** @throws DoorError where nobody answers, or in words that are not QMP's */
async function session<T>(path: string, work: (session: Session) => Promise<T>): Promise<T> {
  const socket = connect(path);
  const messages: Message[] = [];
  let wake = () => {};
  let fault: DoorError | undefined;
  const refuse = (why: string, cause?: unknown) => {
    fault ??= new DoorError(`QEMU does not answer at ${path}: ${why}`, { cause });
    wake();
  };
  const timer = setTimeout(() => refuse(`nothing within ${ANSWER_MS / 1000} s`), ANSWER_MS);
  read(
    socket,
    (message) => {
      messages.push(message);
      wake();
    },
    refuse,
  );
  /** The first that fits, taken out. */
  const next = async <M>(pick: (message: Message) => M | undefined): Promise<M> => {
    for (;;) {
      for (const [at, message] of messages.entries()) {
        const found = pick(message);
        if (found === undefined) continue;
        messages.splice(at, 1);
        return found;
      }
      if (fault) throw fault;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  let id = 0;
  const ask = async (command: string, args?: Arguments): Promise<unknown> => {
    const own = String(++id);
    socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id: own })}\n`);
    const answer = await next((message) =>
      ("return" in message || "error" in message) && message.id === own ? message : undefined,
    );
    if ("error" in answer) throw new QmpError(command, answer.error);
    return answer.return;
  };
  try {
    await next((message) => ("QMP" in message ? message : undefined));
    await ask("qmp_capabilities");
    const event = async (name: string, fits: (data: Arguments) => boolean) =>
      void (await next((message) =>
        "event" in message && message.event === name && fits(message.data ?? {}) ? message : undefined,
      ));
    return await work({ ask, event });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function read(socket: Socket, take: (message: Message) => void, refuse: (why: string, cause?: unknown) => void): void {
  let text = "";
  let all = 0;
  socket.setEncoding("utf8");
  socket.on("error", (error) => refuse(error.message, error));
  socket.on("close", () => refuse("it hung up"));
  socket.on("data", (chunk: string) => {
    all += chunk.length;
    if (all > ANSWER_CHARS_MAX) return refuse("its answer has no end");
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end).trim();
      text = text.slice(end + 1);
      if (line === "") continue;
      try {
        take(Message.parse(JSON.parse(line)));
      } catch (error) {
        return refuse("its answer is no QMP", error);
      }
    }
  });
}

const Nodes = z.array(z.object({ "node-name": z.string().optional() }));
const Children = z.array(z.object({ name: z.string() }));
const nodeOf = (handle: string): string => `${handle}-image`;

export function qmp(path: string): Attach {
  const devices = async ({ ask }: Session): Promise<string[]> =>
    Children.parse(await ask("qom-list", { path: "/machine/peripheral" })).map(({ name }) => name);
  const nodes = async ({ ask }: Session): Promise<string[]> =>
    Nodes.parse(await ask("query-named-block-nodes", { flat: true })).flatMap((node) => node["node-name"] ?? []);
  const plan = (taken: readonly string[]): Promise<string> =>
    session(path, async (open) => {
      const used = [
        ...(await devices(open)),
        ...(await nodes(open)).map((name) => name.replace(/-image$/, "")),
        ...taken,
      ];
      for (let number = 0; number < HANDLES_MAX; number++)
        if (!used.includes(`${PREFIX}${number}`)) return `${PREFIX}${number}`;
      throw new DoorError(`the guest at ${path} has ${HANDLES_MAX} sticks already`);
    });
  /** The guest may take its time, or never let go: then the stick stays and that is said. */
  async function unplug({ ask, event }: Session, handle: string): Promise<void> {
    try {
      await ask("device_del", { id: handle });
    } catch (error) {
      if (error instanceof QmpError && error.className === "DeviceNotFound") return;
      throw error;
    }
    await event("DEVICE_DELETED", ({ device }) => device === handle);
  }
  return {
    planImage: plan,
    planDevice: plan,
    image: (handle, file) =>
      session(path, async ({ ask }) => {
        const node = nodeOf(handle);
        const raw = { driver: "raw", "read-only": true, "node-name": node };
        await ask("blockdev-add", { ...raw, file: { driver: "file", filename: file, "read-only": true } });
        try {
          await ask("device_add", { driver: "usb-storage", id: handle, drive: node, removable: true });
        } catch (error) {
          await ask("blockdev-del", { "node-name": node }).catch(() => {});
          throw error;
        }
      }),
    device: (handle, { bus, address }) =>
      session(path, async ({ ask }) => {
        await ask("device_add", { driver: "usb-host", id: handle, hostbus: bus, hostaddr: address });
      }),
    has: (handle) => session(path, async (open) => (await devices(open)).includes(handle)),
    async holds(handles) {
      const none = { guest: undefined, isReady: false, has: [] };
      const place = await stat(path).catch(() => undefined);
      if (!place) return none;
      try {
        const found = await session(path, devices);
        // it makes its socket anew each time it is started
        const has = handles.filter((handle) => found.includes(handle));
        return { guest: `${place.ino}.${place.birthtimeMs}`, isReady: true, has };
      } catch (error) {
        if (isOver(error)) return none;
        throw error;
      }
    },
    async detach(handle) {
      try {
        await session(path, async (open) => {
          await unplug(open, handle);
          if ((await nodes(open)).includes(nodeOf(handle)))
            await open.ask("blockdev-del", { "node-name": nodeOf(handle) });
        });
      } catch (error) {
        // with a guest goes all that it had
        if (!isOver(error)) throw error;
      }
    },
  };
}

/** Nobody listens at its socket: there is no QEMU. */
function isOver(error: unknown): boolean {
  const { code = "" } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return ["ECONNREFUSED", "ENOENT"].includes(code);
}
