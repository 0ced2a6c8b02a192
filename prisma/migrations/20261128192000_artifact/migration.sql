-- Files the fleet fetches by their sha256, in pieces: whichever process took them, every other serves them.
CREATE TABLE "artifact" (
    "id" BIGSERIAL NOT NULL,
    "sha256" CHAR(64),
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "facts" JSONB NOT NULL DEFAULT '{}',
    "added_by" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "artifact_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "artifact_sha256_key" ON "artifact"("sha256");

CREATE TABLE "artifact_piece" (
    "artifact" BIGINT NOT NULL,
    "position" INTEGER NOT NULL,
    "bytes" BYTEA NOT NULL,

    CONSTRAINT "artifact_piece_pkey" PRIMARY KEY ("artifact","position")
);
ALTER TABLE "artifact_piece" ADD CONSTRAINT "artifact_piece_artifact_fkey" FOREIGN KEY ("artifact") REFERENCES "artifact"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- they are compressed already, most of them
ALTER TABLE "artifact_piece" ALTER COLUMN "bytes" SET STORAGE EXTERNAL;
