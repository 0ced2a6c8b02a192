-- The store: workstations, groups and their policy, trails and their records, what is made from them.
-- What Prisma's model cannot say is at the end.

-- CreateTable
CREATE TABLE "alert" (
    "id" BIGSERIAL NOT NULL,
    "key" TEXT NOT NULL,
    "workstation_id" UUID,
    "trail" INTEGER,
    "index" BIGINT,
    "kind" TEXT NOT NULL,
    "severity" SMALLINT NOT NULL,
    "title" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "raised_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "count" INTEGER NOT NULL DEFAULT 1,
    "last_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "state" TEXT NOT NULL DEFAULT 'open',
    "acknowledged_by" TEXT,
    "acknowledged_at" TIMESTAMPTZ(3),
    "note" TEXT,

    CONSTRAINT "alert_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "threshold" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group_key" (
    "group_id" UUID NOT NULL,
    "key_id" TEXT NOT NULL,
    "public_key" TEXT NOT NULL,
    "role" TEXT NOT NULL,

    CONSTRAINT "group_key_pkey" PRIMARY KEY ("group_id","public_key")
);

-- CreateTable
CREATE TABLE "revision" (
    "digest" CHAR(64) NOT NULL,
    "canonical" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "parent" CHAR(64),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "revision_pkey" PRIMARY KEY ("digest")
);

-- CreateTable
CREATE TABLE "publication" (
    "group_id" UUID NOT NULL,
    "order" INTEGER NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "statement" JSONB NOT NULL,
    "published_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "published_by" TEXT NOT NULL,

    CONSTRAINT "publication_pkey" PRIMARY KEY ("group_id","order")
);

-- CreateTable
CREATE TABLE "workstation_statement" (
    "workstation_id" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "order" INTEGER NOT NULL,
    "statement" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "workstation_statement_pkey" PRIMARY KEY ("workstation_id","type","order")
);

-- CreateTable
CREATE TABLE "dispatch" (
    "workstation_id" UUID NOT NULL,
    "sent" CHAR(64),
    "sent_at" TIMESTAMPTZ(3),

    CONSTRAINT "dispatch_pkey" PRIMARY KEY ("workstation_id")
);

-- CreateTable
CREATE TABLE "api_token" (
    "id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "name" TEXT NOT NULL,
    "scopes" TEXT[],
    "person_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "trail" (
    "num" SERIAL NOT NULL,
    "id" UUID NOT NULL,
    "workstation_id" UUID,
    "origin" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'open',
    "size" BIGINT NOT NULL DEFAULT 0,
    "edge" BYTEA NOT NULL,
    "checkpoint" TEXT,
    "safe" BIGINT NOT NULL DEFAULT 0,
    "session" UUID,
    "previous_id" UUID,
    "previous_size" BIGINT,
    "opened_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "received_at" TIMESTAMPTZ(3),

    CONSTRAINT "trail_pkey" PRIMARY KEY ("num")
);

-- CreateTable
CREATE TABLE "record" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "received" TIMESTAMPTZ(3) NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "severity" SMALLINT NOT NULL,
    "guest" TEXT,
    "text" TEXT NOT NULL,
    "content_hash" BYTEA NOT NULL,
    "salt" BYTEA,
    "content" BYTEA,
    "marked" TEXT,

    CONSTRAINT "record_pkey" PRIMARY KEY ("received","trail","index")
) PARTITION BY RANGE ("received");

-- CreateTable
CREATE TABLE "record_partition" (
    "name" TEXT NOT NULL,
    "received_from" TIMESTAMPTZ(3) NOT NULL,
    "received_to" TIMESTAMPTZ(3) NOT NULL,
    "time_min" TIMESTAMPTZ(3),
    "time_max" TIMESTAMPTZ(3),
    "records" BIGINT NOT NULL DEFAULT 0,
    "sealed_at" TIMESTAMPTZ(3),

    CONSTRAINT "record_partition_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "record_range" (
    "trail" INTEGER NOT NULL,
    "from" BIGINT NOT NULL,
    "to" BIGINT NOT NULL,
    "partition" TEXT NOT NULL,

    CONSTRAINT "record_range_pkey" PRIMARY KEY ("trail","from")
);

-- CreateTable
CREATE TABLE "tile" (
    "trail" INTEGER NOT NULL,
    "level" SMALLINT NOT NULL,
    "index" BIGINT NOT NULL,
    "hashes" BYTEA NOT NULL,

    CONSTRAINT "tile_pkey" PRIMARY KEY ("trail","level","index")
);

-- CreateTable
CREATE TABLE "entry_bundle" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "entries" BYTEA NOT NULL,

    CONSTRAINT "entry_bundle_pkey" PRIMARY KEY ("trail","index")
);

-- CreateTable
CREATE TABLE "loss" (
    "trail" INTEGER NOT NULL,
    "from" BIGINT NOT NULL,
    "to" BIGINT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "statement" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "loss_pkey" PRIMARY KEY ("trail","from")
);

-- CreateTable
CREATE TABLE "quarantine" (
    "id" BIGSERIAL NOT NULL,
    "received" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "workstation_id" UUID,
    "topic" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,

    CONSTRAINT "quarantine_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "console_state" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "restored_at" TIMESTAMPTZ(3),

    CONSTRAINT "console_state_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "scan" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "workstation_id" UUID NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "received" TIMESTAMPTZ(3) NOT NULL,
    "source" TEXT,
    "verdict" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "image_sha256" CHAR(64),
    "image_size" BIGINT,
    "files" INTEGER NOT NULL,
    "infected" INTEGER NOT NULL,
    "unscannable" INTEGER NOT NULL,
    "engine" TEXT,
    "definitions" TEXT,

    CONSTRAINT "scan_pkey" PRIMARY KEY ("trail","index")
);

-- CreateTable
CREATE TABLE "manifest_file" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "position" INTEGER NOT NULL,
    "path" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "md5" CHAR(32),
    "sha256" CHAR(64),
    "type" TEXT,
    "finding" TEXT NOT NULL,
    "detail" TEXT,

    CONSTRAINT "manifest_file_pkey" PRIMARY KEY ("trail","index","position")
);

-- CreateTable
CREATE TABLE "workstation" (
    "id" UUID NOT NULL,
    "shard" CHAR(2) NOT NULL,
    "name" TEXT NOT NULL,
    "hostname" TEXT NOT NULL,
    "group_id" UUID NOT NULL,
    "labels" TEXT[],
    "state" TEXT NOT NULL DEFAULT 'enrolled',
    "state_reason" TEXT,
    "trail_key" BYTEA NOT NULL,
    "agent_version" TEXT NOT NULL,
    "enrolled_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "enrolled_by" TEXT,
    "last_receipt_at" TIMESTAMPTZ(3),
    "last_record_time" TIMESTAMPTZ(3),
    "skew_ms" INTEGER,
    "presence_session" UUID,
    "presence_state" TEXT,
    "presence_at" TIMESTAMPTZ(3),

    CONSTRAINT "workstation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "certificate" (
    "serial" TEXT NOT NULL,
    "workstation_id" UUID NOT NULL,
    "not_before" TIMESTAMPTZ(3) NOT NULL,
    "not_after" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "reason" TEXT,

    CONSTRAINT "certificate_pkey" PRIMARY KEY ("serial")
);

-- CreateTable
CREATE TABLE "enrol_token" (
    "hash" BYTEA NOT NULL,
    "group_id" UUID NOT NULL,
    "labels" TEXT[],
    "note" TEXT,
    "uses" INTEGER NOT NULL DEFAULT 1,
    "used" INTEGER NOT NULL DEFAULT 0,
    "expires" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_by" TEXT,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "enrol_token_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "reported" (
    "workstation_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "document" JSONB NOT NULL,

    CONSTRAINT "reported_pkey" PRIMARY KEY ("workstation_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "alert_key_key" ON "alert"("key");

-- CreateIndex
CREATE INDEX "alert_state_raised_at_idx" ON "alert"("state", "raised_at");

-- CreateIndex
CREATE INDEX "alert_workstation_id_raised_at_idx" ON "alert"("workstation_id", "raised_at");

-- CreateIndex
CREATE UNIQUE INDEX "group_name_key" ON "group"("name");

-- CreateIndex
CREATE UNIQUE INDEX "api_token_hash_key" ON "api_token"("hash");

-- CreateIndex
CREATE UNIQUE INDEX "trail_id_key" ON "trail"("id");

-- CreateIndex
CREATE INDEX "trail_workstation_id_idx" ON "trail"("workstation_id");

-- CreateIndex
CREATE INDEX "record_trail_index_idx" ON "record"("trail", "index");

-- CreateIndex
CREATE INDEX "quarantine_workstation_id_received_idx" ON "quarantine"("workstation_id", "received");

-- CreateIndex
CREATE INDEX "scan_received_trail_index_idx" ON "scan"("received", "trail", "index");

-- CreateIndex
CREATE INDEX "scan_workstation_id_received_idx" ON "scan"("workstation_id", "received");

-- CreateIndex
CREATE INDEX "manifest_file_sha256_idx" ON "manifest_file"("sha256");

-- CreateIndex
CREATE INDEX "manifest_file_md5_idx" ON "manifest_file"("md5");

-- CreateIndex
CREATE INDEX "workstation_group_id_idx" ON "workstation"("group_id");

-- CreateIndex
CREATE INDEX "workstation_shard_idx" ON "workstation"("shard");

-- CreateIndex
CREATE INDEX "certificate_workstation_id_idx" ON "certificate"("workstation_id");

-- AddForeignKey
ALTER TABLE "group_key" ADD CONSTRAINT "group_key_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "publication" ADD CONSTRAINT "publication_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "publication" ADD CONSTRAINT "publication_digest_fkey" FOREIGN KEY ("digest") REFERENCES "revision"("digest") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "workstation_statement" ADD CONSTRAINT "workstation_statement_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "trail" ADD CONSTRAINT "trail_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "workstation" ADD CONSTRAINT "workstation_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "certificate" ADD CONSTRAINT "certificate_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "enrol_token" ADD CONSTRAINT "enrol_token_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "reported" ADD CONSTRAINT "reported_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- One row for ever.
INSERT INTO "console_state" ("id") VALUES (1);
ALTER TABLE "console_state" ADD CONSTRAINT "console_state_one_row" CHECK ("id" = 1);

-- States are unions.
ALTER TABLE "workstation" ADD CONSTRAINT "workstation_state" CHECK ("state" IN ('enrolled', 'quarantined', 'revoked'));
ALTER TABLE "workstation" ADD CONSTRAINT "workstation_shard" CHECK ("shard" = substr("id"::text, 1, 2));
ALTER TABLE "trail" ADD CONSTRAINT "trail_state" CHECK ("state" IN ('open', 'closed', 'forked'));
ALTER TABLE "trail" ADD CONSTRAINT "trail_safe" CHECK ("safe" <= "size");
ALTER TABLE "alert" ADD CONSTRAINT "alert_state" CHECK ("state" IN ('open', 'acknowledged', 'closed'));

CREATE EXTENSION IF NOT EXISTS pg_trgm;
