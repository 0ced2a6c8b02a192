/** This machine's own agent: a token made in the database, enrolment through the listener as anywhere, then its run. */
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import type { Parts } from "./start.ts";

export type Agent = { stateFolder: string };
export type AgentOptions = {
  stateFolder: string;
  databaseUrl: string;
  group: GroupId;
  ca: string;
  listenUrl: string;
  mqttUrl: string;
  syslogPort: number;
  parts: Parts;
  env: NodeJS.ProcessEnv;
};

export async function startAgent(options: AgentOptions): Promise<Agent> {
  return { stateFolder: options.stateFolder };
}
