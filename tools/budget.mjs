// Which of the suites that run last CI still has time for. Pure.
/** CI ends a run after 90 minutes, and what is ended says nothing at all. */
export const CI_SECONDS_MAX = 75 * 60;

/** Seconds on two quiet cores: of all that run side by side, then of each that has the machine to itself. */
export const SIDE_BY_SIDE_SECONDS = 1_350;
export const ALONE_SECONDS = { workstation: 900, boots: 350, builds: 450 };

/** `elapsed`: seconds since the start, when the suites side by side have just ended: by that alone it is known how slow the
 *  machine is. In order; one that does not fit is left out, and a shorter one behind it may still run. */
export function thatFit(names, elapsed, most = CI_SECONDS_MAX) {
  const slowness = Math.max(1, elapsed / SIDE_BY_SIDE_SECONDS);
  let left = most - elapsed;
  return names.filter((name) => {
    const needed = (ALONE_SECONDS[name] ?? 0) * slowness;
    if (needed > left) return false;
    left -= needed;
    return true;
  });
}
