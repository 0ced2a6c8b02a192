/** Times in figures alone: two trips through Date would cost as much as the rest of an entry. */
const [ZERO, NINE] = [0x30, 0x39];
/** Where the digits stand in `2026-11-24T09:00:00.000Z`, and what stands between them. */
const FORM = Buffer.from("0000-00-00T00:00:00.000Z", "latin1");
/** From 1 March of year 0 to 1 January 1970, and one, since a month's first day is 1. */
const DAYS_TO_1970 = 719_469;

/** Milliseconds since 1970 of 24 bytes; NaN where they have not a time's form, or there is no such moment. */
export function moment(bytes: Uint8Array, at: number): number {
  for (let next = 0; next < FORM.length; next++) {
    const byte = bytes[at + next]!;
    if (FORM[next] === ZERO ? !(byte >= ZERO && byte <= NINE) : byte !== FORM[next]) return Number.NaN;
  }
  const number = (from: number, digits: number): number => {
    let value = 0;
    for (let here = at + from; here < at + from + digits; here++) value = value * 10 + bytes[here]! - ZERO;
    return value;
  };
  const year = number(0, 4);
  const month = number(5, 2);
  const day = number(8, 2);
  const hour = number(11, 2);
  const minute = number(14, 2);
  const second = number(17, 2);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  if (month < 1 || month > 12 || day < 1 || day > last || hour > 23 || minute > 59 || second > 59) return Number.NaN;
  // years from March on, so that the leap day is a year's last
  const years = month > 2 ? year : year - 1;
  const days =
    Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) +
    day +
    365 * years +
    Math.floor(years / 4) -
    Math.floor(years / 100) +
    Math.floor(years / 400) -
    DAYS_TO_1970;
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + number(20, 3);
}

/** The same of a text. */
export const momentOf = (text: string): number => {
  const bytes = Buffer.from(text);
  return bytes.length === FORM.length ? moment(bytes, 0) : Number.NaN;
};
