/** Which ports a stack takes: asked for, else those of the last run, else the defaults, else the next free one. */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { z } from "zod";
import { readStateFile } from "./state-file.ts";

export type PortName = "web" | "mqtt" | "syslog" | "listen" | "postgres";
export const PORTS: Record<PortName, { first: number; variable: string; what: string }> = {
  web: { first: 3000, variable: "SALLYPORT_WEB_PORT", what: "the console" },
  mqtt: { first: 8883, variable: "SALLYPORT_MQTT_PORT", what: "the broker" },
  syslog: { first: 5514, variable: "SALLYPORT_SYSLOG_PORT", what: "syslog" },
  listen: { first: 8443, variable: "SALLYPORT_LISTEN_PORT", what: "the enrolment listener" },
  postgres: { first: 54320, variable: "SALLYPORT_POSTGRES_PORT", what: "Postgres" },
};
export type Ports = Record<PortName, number>;
const Port = z.int().min(1).max(65_535).optional();
const LastPorts = z.object({ web: Port, mqtt: Port, syslog: Port, listen: Port, postgres: Port });
type LastPorts = z.infer<typeof LastPorts>;

/** How many ports after the first one are tried. */
const TRIES_MAX = 200;

export function askedPort(name: PortName, env: NodeJS.ProcessEnv): number | undefined {
  const { variable } = PORTS[name];
  const text = env[variable];
  if (text === undefined || text === "") return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${variable}=${text} is no port: give a number from 1 to 65535.`);
}

/** Those of the last run; none where the file is torn, which must not keep a console from starting. */
export function readLastPorts(file: string, say: (line: string) => void): LastPorts {
  if (!existsSync(file)) return {};
  try {
    return readStateFile(LastPorts, file);
  } catch (error) {
    const { mqtt, listen } = PORTS;
    say(
      `${file} cannot be read (${(error as Error).message}): ports are chosen as at a first start. Workstations that find ` +
        `nothing there need the ones they had: set ${mqtt.variable} and ${listen.variable} to those.`,
    );
    return {};
  }
}

/** `asked` by a person is taken or refused; `last` and the default may give way. `say` tells of a port that moved. */
export async function choosePort(
  name: PortName,
  {
    asked,
    last,
    taken,
    say,
  }: { asked?: number | undefined; last?: number | undefined; taken: Set<number>; say: (line: string) => void },
): Promise<number> {
  const { first, variable, what } = PORTS[name];
  if (asked === 0) return reserve(await freePort(), taken);
  if (asked !== undefined) {
    if (!taken.has(asked) && (await isFree(asked))) return reserve(asked, taken);
    throw new Error(
      `Port ${asked} (${variable}, for ${what}) is in use by another program. Stop that one, or set ${variable} to a free port.`,
    );
  }
  const start = last ?? first;
  for (let port = start; port < Math.min(start + TRIES_MAX, 65_536); port++) {
    if (taken.has(port) || !(await isFree(port))) continue;
    if (port !== start)
      say(`Port ${start} is in use by another program: ${what} takes ${port} instead (${variable} sets it).`);
    if (last !== undefined && port !== last && (name === "mqtt" || name === "listen"))
      say(
        `Workstations enrolled earlier look for ${what} on port ${last}: free that port and start again, or enrol them anew.`,
      );
    return reserve(port, taken);
  }
  throw new Error(`No free port for ${what} from ${start} on. Set ${variable} to a free one.`);
}

function reserve(port: number, taken: Set<number>): number {
  taken.add(port);
  return port;
}

/** Free on every address of this machine: a listener on one of them counts. */
async function isFree(port: number): Promise<boolean> {
  for (const host of ["127.0.0.1", "0.0.0.0", "::"]) if (!(await canListen(port, host))) return false;
  return true;
}

const canListen = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EAFNOSUPPORT" || error.code === "EADDRNOTAVAIL"),
    );
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
