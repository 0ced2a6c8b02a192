/** What the agreement tests draw: the same each time, so that a failure is one for everybody. `SALLYPORT_SEED=random` draws
 *  anew and says by which seed, a number draws those of a failure again, and `SALLYPORT_ROUNDS=10` ten times as many. */
import { randomInt } from "node:crypto";

const FIXED = 20_261_124;
const asked = process.env.SALLYPORT_SEED;

export const SEED = asked === "random" ? randomInt(2 ** 31) : Number(asked ?? FIXED);
export const ROUNDS = Number(process.env.SALLYPORT_ROUNDS ?? 1);
if (!Number.isSafeInteger(SEED)) throw new Error(`SALLYPORT_SEED is a number or random, not ${asked}`);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1)
  throw new Error(`SALLYPORT_ROUNDS is a number from 1 on, not ${process.env.SALLYPORT_ROUNDS}`);
if (asked === "random") process.stderr.write(`drawn by SALLYPORT_SEED=${SEED}\n`);
