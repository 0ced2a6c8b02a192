-- Where alerts are sent, and what is on its way there. What Prisma's model cannot say is at the end.

-- CreateTable
CREATE TABLE "destination" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "shown" TEXT NOT NULL,
    "sealed" BYTEA NOT NULL,
    "severity" SMALLINT NOT NULL,
    "kinds" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "added_by" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "removed_at" TIMESTAMPTZ(3),
    "claimed_by" UUID,
    "claimed_until" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "failing_since" TIMESTAMPTZ(3),
    "next_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_success_at" TIMESTAMPTZ(3),
    "last_error_at" TIMESTAMPTZ(3),
    "last_error" TEXT,
    "left_out" BIGINT NOT NULL DEFAULT 0,
    "left_out_at" TIMESTAMPTZ(3),
    "test_asked_at" TIMESTAMPTZ(3),
    "test_at" TIMESTAMPTZ(3),
    "test_error" TEXT,

    CONSTRAINT "destination_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery" (
    "id" BIGSERIAL NOT NULL,
    "message" UUID NOT NULL DEFAULT gen_random_uuid(),
    "destination_id" UUID NOT NULL,
    "alert_id" BIGINT NOT NULL,
    "queued_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "refusals" INTEGER NOT NULL DEFAULT 0,
    "not_before" TIMESTAMPTZ(3),

    CONSTRAINT "delivery_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "delivery_message_key" ON "delivery"("message");

-- CreateIndex
CREATE INDEX "delivery_destination_id_id_idx" ON "delivery"("destination_id", "id");

-- CreateIndex
CREATE INDEX "delivery_alert_id_idx" ON "delivery"("alert_id");

-- AddForeignKey
ALTER TABLE "delivery" ADD CONSTRAINT "delivery_destination_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destination"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery" ADD CONSTRAINT "delivery_alert_id_fkey" FOREIGN KEY ("alert_id") REFERENCES "alert"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- One name once, among those that stand.
CREATE UNIQUE INDEX "destination_name_stands_key" ON "destination"("name") WHERE "removed_at" IS NULL;

-- Whoever raises an alert, by whichever statement: it is queued in the same transaction, so that none is raised and
-- forgotten. One that was closed and happened again is queued again; one that only counts up is not.
CREATE FUNCTION "queue_alert"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "delivery" ("destination_id", "alert_id")
    SELECT d."id", NEW."id" FROM "destination" d
     WHERE d."enabled" AND NEW."severity" >= d."severity" AND (d."kinds" = '{}' OR NEW."kind" = ANY (d."kinds"));
    RETURN NULL;
END
$$;
CREATE TRIGGER "alert_raised" AFTER INSERT ON "alert"
    FOR EACH ROW EXECUTE FUNCTION "queue_alert"();
CREATE TRIGGER "alert_recurred" AFTER UPDATE OF "state" ON "alert"
    FOR EACH ROW WHEN (OLD."state" = 'closed' AND NEW."state" = 'open' AND NEW."count" > OLD."count")
    EXECUTE FUNCTION "queue_alert"();
