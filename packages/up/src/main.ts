/** `npm run up`, once Node 24 and the packages are there: starts the stack, stays, and stops it on Ctrl-C. */
import { join } from "node:path";
import { ROOT } from "./build.ts";
import { startStack } from "./start.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const { env } = process;
const stateFolder = env.SALLYPORT_STATE || join(ROOT, ".sallyport");

let stopping = false;
const stop = new AbortController();
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      if (stopping) return say("Still stopping: everything is written to disk first.");
      stopping = true;
      say("\nStopping …");
      stop.abort();
      resolve();
    });
});

try {
  say(`State is kept in ${stateFolder}`);
  const starting = startStack({
    stateFolder,
    say,
    signal: stop.signal,
    ...(env.DATABASE_URL ? { databaseUrl: env.DATABASE_URL } : {}),
    ...(env.MQTT_URL ? { mqttUrl: env.MQTT_URL } : {}),
    ...(env.SALLYPORT_HOST ? { host: env.SALLYPORT_HOST } : {}),
    ...(env.SALLYPORT_WORKERS ? { workers: workersOf(env.SALLYPORT_WORKERS) } : {}),
  });
  const stack = await starting;
  if (!stopping) {
    say("");
    say(`Console  ${stack.consoleUrl}`);
    if (stack.setupUrl) say(`First owner  ${stack.setupUrl}`);
    say(`Syslog  127.0.0.1:${stack.ports.syslog} (UDP and TCP)   Sticks  ${join(stateFolder, "sticks")}`);
    say("Ctrl-C stops everything; nothing is lost.");
  }
  await stopped;
  await stack.stop();
  say("Stopped.");
} catch (error) {
  if (stopping)
    say("Stopped."); // Ctrl-C in the middle of the start: what was running is stopped by now
  else {
    const { message, stack } = error as Error;
    process.stderr.write(`\n${env.SALLYPORT_LOG_LEVEL === "debug" ? stack : message}\n`);
    process.exitCode = 1;
  }
}

function workersOf(text: string): number {
  const workers = Number(text);
  if (Number.isInteger(workers) && workers >= 1 && workers <= 64) return workers;
  throw new Error(`SALLYPORT_WORKERS is ${JSON.stringify(text)}: it must be a whole number from 1 to 64.`);
}
