/** How often a list asks again for what it shows: each time it reads all of its pages, one after the other, so the more a
 *  person has scrolled through, the seldomer. */

/** What a person sees is never older. */
const PACE_MS_MAX = 60_000;

/** In milliseconds; `everyMs` for a list of one page. */
export const pace =
  (everyMs: number) =>
  ({ state }: { state: { data?: { pages: readonly unknown[] } | undefined } }): number =>
    Math.min(PACE_MS_MAX, everyMs * Math.max(1, state.data?.pages.length ?? 1));
