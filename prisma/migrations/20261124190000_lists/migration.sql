-- Pages of one state, of one verdict, of one image: each reads its own rows, however many others there are.
DROP INDEX "alert_state_raised_at_idx";
CREATE INDEX "alert_state_id_idx" ON "alert"("state", "id");
CREATE INDEX "scan_verdict_received_trail_index_idx" ON "scan"("verdict", "received", "trail", "index");
CREATE INDEX "scan_image_sha256_received_idx" ON "scan"("image_sha256", "received");
