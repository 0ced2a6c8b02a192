/** The `<PRI>` both syslog forms begin with: facility × 8 + level. */

export type Priority = { facility: number; level: number /** Characters of the mark itself. */; length: number };

/** Nothing where the line does not begin with `<0>` to `<191>`. */
export function readPriority(line: string): Priority | undefined {
  if (line.charCodeAt(0) !== 0x3c) return undefined;
  const mark = /^<(\d{1,3})>/.exec(line);
  const value = Number(mark?.[1]);
  if (!mark || value > 191) return undefined;
  return { facility: value >> 3, level: value & 7, length: mark[0].length };
}
