-- Two names that read alike are one name. Groups that read alike by now get a piece of their id behind it, all but the oldest.
UPDATE "group" g SET "name" = left(g."name", 48) || ' (' || left(g."id"::text, 8) || ')'
  FROM (SELECT "id", row_number() OVER (PARTITION BY lower(normalize("name", NFKC)) ORDER BY "created_at", "id") AS place
          FROM "group") twin
 WHERE twin."id" = g."id" AND twin.place > 1;
CREATE UNIQUE INDEX "group_name_alike" ON "group" (lower(normalize("name", NFKC)));
