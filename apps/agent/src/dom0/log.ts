/** Named events with fields; what the agent says of itself to whoever runs it. */
export type LogFields = Record<string, unknown>;
export type Log = {
  debug(fields: LogFields, event: string): void;
  info(fields: LogFields, event: string): void;
  warn(fields: LogFields, event: string): void;
  error(fields: LogFields, event: string): void;
};
