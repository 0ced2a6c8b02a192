/** How many files a pass has under way: one more than there are cores. A file is first read, hashed and handed over, which
 *  keeps one core, and then scanned, which keeps one: with one in reserve none waits for the other's turn. */
export const lanesFor = (cores: number): number => cores + 1;
