/** The agent's own configuration: where evidence comes in on this machine. Policy is the console's, never in here. */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { SourceChoice } from "./sources/list.ts";

/** `guestNames` are labels for people, by guest id. `sticks` is the drop folder; null turns it off. */
export const AgentConfig = SourceChoice.extend({
  guestNames: z.record(z.string(), z.string().max(128)).default({}),
  sticks: z.string().max(256).nullable().default("sticks"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

export class ConfigError extends Error {
  override name = "ConfigError";
}

/** `config.json` in the state folder may be absent; one named by hand may not. @throws ConfigError */
export function readConfig(state: string, named: string | undefined): AgentConfig {
  const path = named ?? join(state, "config.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return AgentConfig.parse({});
    throw new ConfigError(`The configuration ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`The configuration ${path} is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const config = AgentConfig.safeParse(json);
  if (!config.success) throw new ConfigError(`The configuration ${path} is refused:\n${z.prettifyError(config.error)}`);
  return config.data;
}

export const sticksFolder = (state: string, { sticks }: AgentConfig): string | undefined =>
  sticks === null ? undefined : isAbsolute(sticks) ? sticks : join(state, sticks);
