/** Keys and broker as `npm run up` has them. Loaded by address: their types are Node's own, and this package has the
 *  DOM's too, in which a key has fewer uses. */
type Keys = { ca: string; console: string; worker: { key: string; cert: string } };
type Broker = { port: number; stop(): Promise<void> };

const load = async (file: string): Promise<unknown> =>
  import(/* @vite-ignore */ new URL(`../../../packages/up/src/${file}`, import.meta.url).href);

export async function ensureKeys(stateFolder: string, names: readonly string[] = [], now = new Date()): Promise<Keys> {
  const up = (await load("keys.ts")) as {
    ensureKeys(folder: string, names: readonly string[], now: Date): Promise<Keys>;
  };
  return up.ensureKeys(stateFolder, names, now);
}

export async function startBroker(options: { stateFolder: string; host: string; port: number }): Promise<Broker> {
  const up = (await load("broker.ts")) as { startBroker(asked: typeof options): Promise<Broker> };
  return up.startBroker(options);
}
