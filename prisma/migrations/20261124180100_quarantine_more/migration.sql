-- Of a flood not all messages are kept: one row says how many more there were.
ALTER TABLE "quarantine" ADD COLUMN "more" INTEGER NOT NULL DEFAULT 0;
-- What came within the last minute, or the last day, whoever sent it.
CREATE INDEX "quarantine_received_idx" ON "quarantine"("received");
