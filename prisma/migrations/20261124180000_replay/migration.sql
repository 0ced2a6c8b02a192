-- What decisions were made from, each once, and where it was decided on: narrow rows that a candidate policy is replayed
-- over. Made from records by the worker; a replay begins where these do.
CREATE TABLE "replay_input" (
    "id" BIGSERIAL NOT NULL,
    "hash" BYTEA NOT NULL,
    "kind" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "last_bucket" INTEGER NOT NULL,

    CONSTRAINT "replay_input_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "replay_input_hash_key" ON "replay_input"("hash");
CREATE INDEX "replay_input_last_bucket_idx" ON "replay_input"("last_bucket");

CREATE TABLE "replay_seen" (
    "trail" INTEGER NOT NULL,
    "bucket" INTEGER NOT NULL,
    "input" BIGINT NOT NULL,
    "guest" TEXT NOT NULL,
    "count" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "first_index" BIGINT NOT NULL,
    "last_index" BIGINT NOT NULL,
    "first_ms" INTEGER NOT NULL,
    "last_ms" INTEGER NOT NULL,

    CONSTRAINT "replay_seen_pkey" PRIMARY KEY ("trail","bucket","input","guest")
);

CREATE TABLE "replay_cursor" (
    "trail" INTEGER NOT NULL,
    "next" BIGINT NOT NULL,
    "pending" TEXT NOT NULL,

    CONSTRAINT "replay_cursor_pkey" PRIMARY KEY ("trail")
);
