/** How many files a pass has under way: one more than there are cores. A file is first read, hashed and handed over, which
 *  keeps one core, and then scanned, which keeps one: with one in reserve none waits for the other's turn. */
export const lanesFor = (cores: number): number => Math.min(cores + 1, LANES_MAX);

/** One thread reads and hashes for all: it keeps some ten scanners busy. Each lane has a connection to the scanner, of which
 *  the reader's door has 64. */
const LANES_MAX = 32;
