-- Recovery keys of volumes, sealed: an inventory that outlives the records, and is destroyed when the volume was wiped.
CREATE TABLE "escrow" (
    "trail" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "workstation_id" UUID NOT NULL,
    "volume" UUID NOT NULL,
    "slot" SMALLINT NOT NULL,
    "to" CHAR(8) NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "sealed" TEXT,
    "received" TIMESTAMPTZ(3) NOT NULL,
    "wiped_by" UUID,
    "wiped_at" TIMESTAMPTZ(3),
    "destroyed_at" TIMESTAMPTZ(3),

    CONSTRAINT "escrow_pkey" PRIMARY KEY ("trail", "index")
);

-- CreateIndex
CREATE INDEX "escrow_workstation_id_volume_idx" ON "escrow"("workstation_id", "volume");

-- What is to be destroyed and is not yet: next to nothing, and asked for all the time.
CREATE INDEX "escrow_doomed_idx" ON "escrow"("wiped_at") WHERE "wiped_at" IS NOT NULL AND "destroyed_at" IS NULL;

-- AddForeignKey
ALTER TABLE "escrow" ADD CONSTRAINT "escrow_workstation_id_fkey" FOREIGN KEY ("workstation_id") REFERENCES "workstation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
