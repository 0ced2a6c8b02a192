-- Orders to workstations and what they answered.
CREATE TABLE "command" (
    "id" UUID NOT NULL,
    "workstation_id" UUID NOT NULL,
    "order" BIGINT NOT NULL,
    "verb" TEXT NOT NULL,
    "arguments" JSONB NOT NULL,
    "statement" JSONB NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "asked_by" TEXT NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT NOT NULL,
    "not_after" TIMESTAMPTZ(3) NOT NULL,
    "standing" TEXT NOT NULL,
    "state" JSONB NOT NULL,

    CONSTRAINT "command_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "command_standing_idx" ON "command"("standing");
CREATE INDEX "command_digest_idx" ON "command"("digest");
CREATE UNIQUE INDEX "command_workstation_id_order_key" ON "command"("workstation_id", "order");
ALTER TABLE "command" ADD CONSTRAINT "command_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
