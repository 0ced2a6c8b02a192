/** The one way to a transaction of the console's database: begun, committed or undone as a whole. */
import type { Pool, PoolClient } from "pg";

/** Read committed, on a connection of its own. Undone where `act` throws, or where what it answers is none of `keeps`.
 *  A connection that cannot even be rolled back is closed and not given back; the first error is the one that is told. */
export async function inTransaction<T>(
  pool: Pool,
  act: (tx: PoolClient) => Promise<T>,
  keeps: (value: T) => boolean = () => true,
): Promise<T> {
  const tx = await pool.connect();
  let broken: Error | undefined;
  try {
    await tx.query("BEGIN");
    const value = await act(tx);
    await tx.query(keeps(value) ? "COMMIT" : "ROLLBACK");
    return value;
  } catch (error) {
    await tx.query("ROLLBACK").catch((cause: Error) => {
      broken = cause;
    });
    throw error;
  } finally {
    tx.release(broken);
  }
}
