/** Files of the state folder that a loss of power tore, or a hand. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startAgent } from "../src/local-agent.ts";
import type { Parts } from "../src/parts.ts";
import { startStack } from "../src/start.ts";

const NOWHERE = "postgresql://127.0.0.1:1/none";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-torn-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a torn ports.json", () => {
  const ports = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
  /** As far as the database, which is not there: ports are chosen by then. */
  async function start(): Promise<string[]> {
    const said: string[] = [];
    const stack = startStack({ stateFolder: folder, ports, databaseUrl: NOWHERE, say: (line) => said.push(line) });
    await expect(stack).rejects.toThrow(/ECONNREFUSED/);
    return said;
  }

  it.each([`{"web": 3000, "mq`, "x", "", `{"web":"abc"}`, `{"mqtt":99999}`, "[]", "null"])(
    "(%s) is said, and ports are chosen anew",
    async (torn) => {
      const file = join(folder, "ports.json");
      writeFileSync(file, torn);
      expect(await start()).toContainEqual(expect.stringContaining(`${file} cannot be read`));
      const chosen = JSON.parse(readFileSync(file, "utf8"));
      expect(Object.keys(chosen)).toEqual(["web", "mqtt", "syslog", "listen", "postgres"]);
      expect(await start()).not.toContainEqual(expect.stringContaining("cannot be read"));
    },
  );
});

describe("this machine's agent", () => {
  /** Nothing of it is reached: the files are read before anything starts. */
  const agent = () =>
    startAgent({
      ...{ stateFolder: folder, databaseUrl: NOWHERE, group: "none" as GroupId, ca: "", env: {}, syslogPort: 1 },
      ...{ listenUrl: "https://localhost:1", mqttUrl: "mqtts://localhost:1", parts: {} as Parts },
    });

  it.each(["{torn", `{"udp": [5514]}`, "null"])("names its configuration (%s) and what to do", async (torn) => {
    const file = join(folder, "agent", "config.json");
    mkdirSync(join(folder, "agent"));
    writeFileSync(file, torn);
    await expect(agent()).rejects.toThrow(/config\.json cannot be read \(.+\)\. Mend it, or delete it/);
    expect(readFileSync(file, "utf8")).toBe(torn);
  });

  it.each(["{torn", "{}"])("names its enrolment (%s) and what to do", async (torn) => {
    mkdirSync(join(folder, "agent", "enrolment"), { recursive: true });
    writeFileSync(join(folder, "agent", "enrolment", "enrolment.json"), torn);
    await expect(agent()).rejects.toThrow(/enrolment\.json cannot be read \(.+\)\. Put it back from a backup, or move/);
  });
});
