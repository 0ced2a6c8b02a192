-- What each workstation said that it has in force, and when: one row a policy.applied record.
CREATE TABLE "applied_policy" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "workstation_id" UUID NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "received" TIMESTAMPTZ(3) NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "order" BIGINT NOT NULL,
    "outcomes" JSONB NOT NULL,

    CONSTRAINT "applied_policy_pkey" PRIMARY KEY ("trail","index")
);
CREATE INDEX "applied_policy_workstation_id_time_idx" ON "applied_policy"("workstation_id", "time");
ALTER TABLE "applied_policy" ADD CONSTRAINT "applied_policy_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Those that are here already. What was marked, given up or cannot stand in jsonb is left out: the record itself stays.
WITH said AS (
  SELECT r."trail", r."index", t."workstation_id", r."time", r."received",
         CASE WHEN convert_from(r."content", 'UTF8') NOT LIKE '%\\u0000%'
              THEN convert_from(r."content", 'UTF8')::jsonb -> 'body' END AS body
    FROM "record" r JOIN "trail" t ON t."num" = r."trail"
   WHERE r."kind" = 'policy.applied' AND r."content" IS NOT NULL AND r."marked" IS NULL AND t."workstation_id" IS NOT NULL
)
INSERT INTO "applied_policy"
SELECT "trail", "index", "workstation_id", "time", "received", body ->> 'digest', (body ->> 'order')::bigint, body -> 'outcomes'
  FROM said
 WHERE body ->> 'digest' ~ '^[0-9a-f]{64}$' AND body ->> 'order' ~ '^[0-9]{1,15}$' AND jsonb_typeof(body -> 'outcomes') = 'object';
