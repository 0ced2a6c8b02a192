import own from "../package.json" with { type: "json" };

export const AGENT_VERSION: string = own.version;
