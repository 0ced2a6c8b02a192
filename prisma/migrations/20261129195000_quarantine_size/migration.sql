-- Refused messages by their size: a page reads its own rows.
CREATE INDEX "quarantine_size_id_idx" ON "quarantine"("size", "id");
