/** A pool whose connection is cut before its `killAt`th statement: what a process that is killed leaves behind. */
import type pg from "pg";

export function dying(pool: pg.Pool, killAt: number): pg.Pool {
  let statement = 0;
  const connect = async () => {
    const client = await pool.connect();
    let isCut = false;
    return new Proxy(client, {
      get: (target, name) => {
        if (name === "release") return () => target.release(isCut ? true : undefined);
        if (name !== "query") return Reflect.get(target, name);
        return (...asked: unknown[]) => {
          if (isCut || ++statement === killAt) {
            isCut = true;
            return Promise.reject(new Error("the connection is gone"));
          }
          return (target.query as (...args: unknown[]) => unknown)(...asked);
        };
      },
    });
  };
  return new Proxy(pool, { get: (target, name) => (name === "connect" ? connect : Reflect.get(target, name)) });
}
