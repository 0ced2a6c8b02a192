-- Where records of the console's own trails lie, as ingest has it for all others: look-ups read only those partitions.
-- One row for each run of indexes within one partition.
INSERT INTO "record_range" ("trail", "from", "to", "partition")
SELECT "trail", min("index"), max("index") + 1, "partition"
  FROM (SELECT r."trail", r."index", r.tableoid::regclass::text AS "partition",
               r."index" - row_number() OVER (PARTITION BY r."trail", r.tableoid ORDER BY r."index") AS "run"
          FROM "trail" t JOIN "record" r ON r."trail" = t."num"
         WHERE t."workstation_id" IS NULL
           AND NOT EXISTS (SELECT 1 FROM "record_range" g WHERE g."trail" = t."num")) AS placed
 GROUP BY "trail", "partition", "run";
