/** Pages of a list that go on by key: where a page ended is told by what its last row was sorted by, so that nothing is
 *  shown twice or left out because that row has changed or gone meanwhile. Pure. */

/** What rows are sorted by, in SQL. It is never null, so that each row has a place. */
export type Columns<Key extends string> = Record<Key, { sql: string; type: string }>;
/** `-` turns one around. The last makes the order whole: no two rows are equal in it. */
export type Keys<Key extends string> = readonly (Key | `-${Key}`)[];

/** Conditions in SQL. `place` is the parameter that has, as JSON, the keys of the row that the page before ended with, or
 *  null for the first page. */
export function keyset<Key extends string>(
  columns: Columns<Key>,
  keys: Keys<Key>,
  place: `$${number}`,
): { isAfter: string; order: string } {
  const parts = keys.map((word) => {
    const isDown = word.startsWith("-");
    const key = (isDown ? word.slice(1) : word) as Key;
    const { sql, type } = columns[key];
    return { sql, last: `(${place}::jsonb ->> '${key}')::${type}`, beyond: isDown ? "<" : ">", down: isDown };
  });
  const [first] = parts;
  const isOneWay = parts.every(({ down }) => down === first?.down);
  const isAfter = isOneWay
    ? `(${parts.map(({ sql }) => sql).join(", ")}) ${first?.beyond} (${parts.map(({ last }) => last).join(", ")})` // an index serves it
    : parts
        .map(({ sql, last, beyond }, at) =>
          [...parts.slice(0, at).map((each) => `${each.sql} = ${each.last}`), `${sql} ${beyond} ${last}`].join(" AND "),
        )
        .join(" OR ");
  return {
    isAfter: `(${place}::jsonb IS NULL OR ${isAfter})`,
    order: parts.map(({ sql, down }) => `${sql} ${down ? "DESC" : "ASC"}`).join(", "),
  };
}
