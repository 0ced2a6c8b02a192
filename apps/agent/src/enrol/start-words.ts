/** What a person does after enrolling: the package's unit confines the agent, a run from a shell does not. */
import { existsSync } from "node:fs";

export const STATE_DEFAULT = "/var/lib/sallyport-agent";
const UNIT = "/usr/lib/systemd/system/sallyport-agent.service";

export const startWords = (state: string, unit: string = UNIT): string =>
  state === STATE_DEFAULT && existsSync(unit)
    ? `Look ${STATE_DEFAULT}/config.json over, then start it: systemctl start sallyport-agent`
    : `Start it: sallyport-agent run --state ${state}`;
