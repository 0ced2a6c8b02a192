/** The wire between an agent and the broker, which a test may cut. */
import { connect, createServer, type Socket } from "node:net";

export type Cuttable = {
  port: number;
  /** How many connections were cut or fell silent so far. */
  cuts: () => number;
  /** Cuts each connection after so many bytes up from now on: in the middle of whatever is said then. */
  cutEvery: (bytes: number | undefined) => void;
  /** Nothing gets through any more on what is open, and nobody is told: a cable that was pulled. New ones work. */
  silence: () => void;
  stop: () => void;
};

export async function cuttable(to: number): Promise<Cuttable> {
  const open = new Set<() => void>();
  let limit: number | undefined;
  let cuts = 0;
  const server = createServer((agent) => {
    const broker = connect({ host: "127.0.0.1", port: to });
    let up = 0;
    const both = (act: (socket: Socket) => void) => [agent, broker].forEach(act);
    const hush = () => {
      cuts++;
      both((socket) => socket.removeAllListeners("data").resume());
    };
    open.add(hush);
    agent.on("data", (bytes) => {
      up += bytes.length;
      if (limit !== undefined && up > limit) {
        cuts++;
        broker.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
        return both((socket) => socket.resetAndDestroy());
      }
      broker.write(bytes);
    });
    broker.on("data", (bytes) => agent.write(bytes));
    both((socket) => {
      socket.setNoDelay(true);
      socket.on("error", () => undefined); // cut on purpose
      socket.on("close", () => {
        open.delete(hush);
        both((each) => each.destroy());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: address && typeof address === "object" ? address.port : 0,
    cuts: () => cuts,
    cutEvery: (bytes) => {
      limit = bytes;
    },
    silence: () => {
      for (const hush of open) hush();
      open.clear();
    },
    stop: () => void server.close(),
  };
}
