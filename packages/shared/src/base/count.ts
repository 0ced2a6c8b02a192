/** Numbers → words for people. Pure. */
const COUNT = new Intl.NumberFormat("en-GB");

/** "12,345". */
export const count = (value: number): string => COUNT.format(value);

/** "1 file", "3 files". */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;
