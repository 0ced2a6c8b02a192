-- A record's story names the alert it raised.
CREATE INDEX "alert_trail_index_idx" ON "alert"("trail", "index");
