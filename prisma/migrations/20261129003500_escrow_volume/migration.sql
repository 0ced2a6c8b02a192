-- The same volume, by whichever workstation its keys came: one machine may have been enrolled more than once.
CREATE INDEX "escrow_volume_idx" ON "escrow"("volume");
