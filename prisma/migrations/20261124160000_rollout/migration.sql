-- Rollouts: a revision on its way through a group, whom it told, what happened. What Prisma's model cannot say is at the
-- end.

-- CreateTable
CREATE TABLE "rollout" (
    "id" UUID NOT NULL,
    "group_id" UUID NOT NULL,
    "order" INTEGER NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "message" TEXT NOT NULL,
    "plan" JSONB NOT NULL,
    "state" JSONB NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "report_seconds" INTEGER NOT NULL,
    "fallback_order" INTEGER,
    "fallback_digest" CHAR(64),
    "fallback" JSONB,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_by" TEXT NOT NULL,
    "looked_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "rollout_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "rollout_told" (
    "workstation_id" UUID NOT NULL,
    "rollout_id" UUID NOT NULL,
    "wave" INTEGER NOT NULL,
    "told_at" TIMESTAMPTZ(3) NOT NULL,
    "heard" BOOLEAN NOT NULL,
    "before" TEXT[],

    CONSTRAINT "rollout_told_pkey" PRIMARY KEY ("workstation_id","rollout_id")
);

-- CreateTable
CREATE TABLE "rollout_event" (
    "id" BIGSERIAL NOT NULL,
    "rollout_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "act" TEXT NOT NULL,
    "by" TEXT,
    "text" TEXT NOT NULL,

    CONSTRAINT "rollout_event_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "rollout_group_id_order_key" ON "rollout"("group_id", "order");

-- CreateIndex
CREATE INDEX "rollout_started_at_idx" ON "rollout"("started_at");

-- CreateIndex
CREATE INDEX "rollout_told_rollout_id_idx" ON "rollout_told"("rollout_id");

-- CreateIndex
CREATE INDEX "rollout_event_rollout_id_id_idx" ON "rollout_event"("rollout_id", "id");

-- AddForeignKey
ALTER TABLE "rollout_told" ADD CONSTRAINT "rollout_told_rollout_id_fkey" FOREIGN KEY ("rollout_id") REFERENCES "rollout"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rollout_event" ADD CONSTRAINT "rollout_event_rollout_id_fkey" FOREIGN KEY ("rollout_id") REFERENCES "rollout"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- One of a group at a time.
CREATE UNIQUE INDEX "rollout_one_running" ON "rollout"("group_id") WHERE "ended_at" IS NULL;

-- The publication that a workstation should have: the newest of its group that no rollout holds back from it. Without a
-- workstation: the newest that the whole group should have.
CREATE FUNCTION "wanted"("of_workstation" UUID, "of_group" UUID) RETURNS SETOF "publication" LANGUAGE SQL STABLE AS $$
    SELECT p.* FROM "publication" p LEFT JOIN "rollout" r ON r."group_id" = p."group_id" AND r."order" = p."order"
     WHERE p."group_id" = "of_group"
       AND (r."id" IS NULL OR r."state" ->> 'name' = 'done' OR EXISTS (
           SELECT 1 FROM "rollout_told" t WHERE t."rollout_id" = r."id" AND t."workstation_id" = "of_workstation"))
     ORDER BY p."order" DESC LIMIT 1
$$;
