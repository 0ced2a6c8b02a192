-- A message that came again, by the broker or by another worker, is counted where it lies.
ALTER TABLE "quarantine" ADD COLUMN "again" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "quarantine" ADD COLUMN "digest" BYTEA;
CREATE UNIQUE INDEX "quarantine_digest_key" ON "quarantine"("digest");
