/** Property tests draw the same cases on every machine; `SALLYPORT_SEED=random npm test -- unit` draws new ones, and a
 *  number draws those of a failure again. */
import fc from "fast-check";

const FIXED = 20_261_124;
const asked = process.env.SALLYPORT_SEED;
if (asked !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: asked ? Number(asked) : FIXED });
